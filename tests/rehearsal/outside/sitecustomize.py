"""The internet as the deployed functions find it in a rehearsal: one name more, and one route.

Python imports this by itself in every function of the emulator (PYTHONPATH), before and outside the package, which is
deployed as it is. The name server knows the brand's name, under an address on the public internet; the route leads from
there to the brand's receiver on loopback. What the package does with the address is untouched: it resolves, judges,
connects, and checks the certificate against the name.
"""

import json
import os
import socket

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    names = json.loads(os.environ.get("REHEARSAL_NAMES", "{}"))
    routes = json.loads(os.environ.get("REHEARSAL_ROUTES", "{}"))
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def known(host, port, *rest, **more):
        return resolve(names.get(host, host), port, *rest, **more)

    def led(self, address):
        return connect(self, tuple(routes[address[0]]) if address[0] in routes else address)

    socket.getaddrinfo = known
    socket.socket.connect = led
