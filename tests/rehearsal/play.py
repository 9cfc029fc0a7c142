"""The rehearsal: a stranger's first deployment, an order to the door through deployed functions, an upgrade and a way
back with orders in flight. Every step says what it did; nothing waits longer than it says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

from cli import package
from sandbox import run, shanghai
from sandbox.brand import Listener
from sandbox.client import Client, Refused
from tests.rehearsal.cloud import BRAND_HOST, ROOT, Cloud, build, tree_of

STACK, BUCKET = "cordon", "cordon-releases"
NOWHERE = "Nowhere Court"
"""Nobody has ruled on it: unknown is not open."""
PREVIOUS = "b6ab142"
"""The version before this one: what was in use before there were releases."""
GOOD = '    scheme, _, secret = request.token.partition(" ")\n'
BAD = '    raise RuntimeError("this version is broken")\n' + GOOD
DELIVERED_S = 600.0
FORWARD, HOME = ("booked", "picked_up"), "delivered"


class Play:
    """One rehearsal on one cloud."""

    def __init__(self, cloud: Cloud, scratch: Path, say: Callable[[str], None] = print) -> None:
        self.cloud, self.scratch = cloud, scratch
        self.began = time.monotonic()
        self._say = say
        self.placed: dict[str, str] = {}
        """The name we gave a gift to its order's id."""

    def say(self, line: str) -> None:
        self._say(f"{time.monotonic() - self.began:6.1f} s  {line}")

    # --- releases ---

    def build(self, name: str, root: Path | None = None) -> Path:
        out = self.scratch / name
        left_out = build(out, root) if root else build(out)
        size = (out / "deployment.zip").stat().st_size / 1e6
        missing = f", without {', '.join(left_out)}, which the emulator has no word for" if left_out else ""
        self.say(f"packaged {name}: {size:.1f} MB{missing}")
        return out

    def previous(self) -> Path | None:
        """The package of the version before; None when this clone does not reach so far back."""
        tree = tree_of(PREVIOUS, self.scratch / "tree-before")
        return None if tree is None else self.build("before", tree)

    def spoilt(self) -> Path:
        """The package of a version whose authorizer is broken."""
        tree = package.export(self.scratch / "tree-spoilt")
        app = tree / "app.py"
        text = app.read_text()
        assert text.count(GOOD) == 1
        app.write_text(text.replace(GOOD, BAD))
        return self.build("spoilt", tree)

    def deploy(self, *what: str, fails: bool = False) -> None:
        command = [*what, "--bucket", BUCKET, "--stack", STACK, "--yes", "--address", self.cloud.address]
        for line in self.cloud.run("cli.deploy", *command, fails=fails).splitlines():
            if not line.startswith(("  Add ", "  Modify ", "  Remove ")):  # sixty to a hundred of them
                self.say(line)

    def told(self) -> dict[str, str]:
        """What the stack says of itself."""
        stack = self.cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    def resource(self, logical: str) -> str:
        found = self.cloud.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=logical
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def layers(self) -> None:
        """The solver hangs on the function that plans, and on no other."""
        functions = self.cloud.client("lambda").list_functions()["Functions"]
        carried = {
            f["FunctionName"]: [one["CodeSize"] for one in f["Layers"]] for f in functions if f.get("Layers")
        }
        ((name, (size,)),) = carried.items()
        assert name == self.resource("OnDispatch") and size > 0, carried
        self.say(f"the solver's layer, {size / 1e6:.1f} MB, on {name} alone of {len(functions)} functions")

    # --- people ---

    def furnish(self, tree: Path = ROOT) -> None:
        """The first key, accounts, market, rules, fleet, a brand that listens: as docs/operate.md says."""
        who = ("create", "--role", "operator", "--owner", "control-room")
        made = self.cloud.run("cli.keys", *who, "--table", self.resource("FactsTable"), tree=tree)
        self.cloud.client("secretsmanager").put_secret_value(
            SecretId=self.resource("CordonSecret"), SecretString=json.dumps(self.cloud.accounts)
        )
        pool = urllib3.PoolManager()
        self.operator = Client("", made.strip(), pool)
        self.clients = [self.operator]
        self.locate()
        secret = self.operator("POST", "/v1/keys", {"role": "brand", "owner": run.BRAND})["secret"]
        self.brand = Client(self.operator.url, secret, pool)
        self.clients.append(self.brand)
        self.say("the first key made with cli.keys; a brand's key over POST /v1/keys")
        # the version before knows no names of districts, and is deployed first and last
        unnamed = shanghai.MARKET.model_copy(update={"districts": {}})
        run.furnish(self.operator, datetime.now(UTC), unnamed)
        self.wait("rules", 60, lambda: self.operator("GET", f"/v1/markets/{shanghai.MARKET_ID}/rules"))
        self.say("a market, rules, a courier, a crew, a pass and slots are there; the rules are published")
        self.listener: Listener = self.cloud.brands.listen(run.BRAND)
        hook = self.brand("POST", "/v1/webhooks", {"url": f"https://{BRAND_HOST}/{run.BRAND}"})
        self.listener.secret = hook["secret"]
        self.say(f"the brand listens at https://{BRAND_HOST}/{run.BRAND}")

    def locate(self) -> None:
        """Where the API is now. The emulator makes a new one when its description changes; AWS keeps the address."""
        url = self.cloud.address.replace("{api}", self.told()["RestAPIId"])
        for client in self.clients:
            client.url = url
        self.cloud.company.callback_url = f"{url}/v1/callbacks/{shanghai.MARKET_ID}/sftc"

    def place(self, name: str, to: str = run.OPEN) -> str:
        body = run.order_body(datetime.now(UTC), to)
        said = self.brand("POST", "/v1/orders", body, {"Idempotency-Key": name})
        self.placed[name] = said["order_id"]
        self.say(f"{name} placed: {said['order_id']} to {to}")
        return str(said["order_id"])

    def state(self, name: str) -> str:
        return str(self.brand("GET", f"/v1/orders/{self.placed[name]}")["state"])

    def states(self) -> str:
        return ", ".join(f"{name} {self.state(name)}" for name in self.placed)

    def heard(self, name: str) -> list[str]:
        """What the brand was told of it, in the order in which it came."""
        return [
            str(said["data"]["state"])
            for said in list(self.listener.heard)
            if said["data"]["order_id"] == self.placed[name]
        ]

    # --- waiting and looking ---

    def wait(self, what: str, seconds: float, done: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found = done()
            except Refused:  # not there yet, or a machine that is too busy: asked again, as any client would
                found = None
            if found:
                return found
            time.sleep(1)
        raise AssertionError(f"{what}: not within {seconds:.0f} s; {self.states()}")

    def arrives(self, *names: str) -> None:
        """Until each is delivered and its brand was told so."""
        for name in names:
            seen: list[str] = []

            def home(name: str = name, seen: list[str] = seen) -> bool:
                state = self.state(name)
                if state not in seen:
                    seen.append(state)
                return state == HOME and HOME in self.heard(name)

            self.wait(f"{name} at the door", DELIVERED_S, home)
            (job,) = [job for job in self.cloud.company.jobs_of(self.placed[name]) if job.is_delivered]
            self.say(
                f"{name} {' -> '.join(seen)}; booked once ({job.reference}), the brand heard {self.heard(name)}"
            )

    def recount(self, failures: bool = False) -> None:
        """Nothing doubled at the courier, nothing in the dead letters, no function turned away or (unless it is
        `failures`, of a broken one) broken."""
        for name, order_id in self.placed.items():
            assert self.cloud.company.delivered_jobs(order_id) <= 1, name
            assert self.cloud.company.most_live_at_once(order_id) <= 1, name
        assert self.listener.forged == 0
        sqs = self.cloud.client("sqs")
        for queue in ("Dispatch", "Book", "Hear", "Tell", "Rules"):
            url = self.resource(f"{queue}DeadLetters")
            counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            assert counts["Attributes"]["ApproximateNumberOfMessages"] == "0", f"{queue}: dead letters"
        lines = self.lines()
        assert lines
        bad = [line for line in lines if "AccessDenied" in line or ('"failure"' in line and not failures)]
        assert bad == [], bad[:5]
        broken = "" if failures else ", no failure"
        self.say(
            f"recounted: one booking each, no dead letter, no permission missing{broken} in {len(lines)} lines"
        )

    def lines(self) -> list[str]:
        """Every line of every function's log."""
        logs, found = self.cloud.client("logs"), []
        for group in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]:
            asked: dict[str, Any] = {"logGroupName": group["logGroupName"]}
            while True:
                page = logs.filter_log_events(**asked)
                found += [str(event["message"]) for event in page["events"]]
                if not page.get("nextToken"):
                    break
                asked["nextToken"] = page["nextToken"]
        return found

    # --- acts ---

    def rotate(self) -> None:
        """The signing key through the deployed function: a cursor of before still opens."""
        self.place("for-a-second-page", NOWHERE)
        before = self.brand("GET", "/v1/orders?limit=1")["next_cursor"]
        secrets, key = self.cloud.client("secretsmanager"), self.resource("CordonSigningKey")
        version = "11111111-2222-3333-4444-555555555555"
        secrets.put_secret_value(
            SecretId=key, ClientRequestToken=version, SecretString="n" * 64, VersionStages=["AWSPENDING"]
        )
        for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
            event = {"Step": step, "SecretId": key, "ClientRequestToken": version}
            said = self.cloud.client("lambda").invoke(
                FunctionName=self.resource("Rotate"), Payload=json.dumps(event).encode()
            )
            assert "FunctionError" not in said, said["Payload"].read()
        labels = secrets.describe_secret(SecretId=key)["VersionIdsToStages"]
        assert "AWSCURRENT" in labels[version]
        assert self.brand("GET", f"/v1/orders?limit=1&cursor={before}")["data"]
        self.say("the signing key rotated by the deployed function; a cursor of before still opens")

    def evidence(self, name: str) -> None:
        said = self.brand("GET", f"/v1/orders/{self.placed[name]}/evidence")
        assert said["data"], said
        self.say(
            f"{name}: {len(said['data'])} pieces of evidence, the last says {said['data'][-1]['decision']!r}"
        )


def play(cloud: Cloud, scratch: Path, say: Callable[[str], None] = print) -> Play:
    """The whole of it. Raises AssertionError where it does not end well."""
    on = Play(cloud, scratch, say)
    cloud.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    before, now = on.previous(), on.build("now")
    if before is not None:
        on.say(f"--- the first deployment: the version before ({PREVIOUS}) ---")
        on.deploy("new", "--package", str(before))
        first = on.told()["Release"]
    else:
        on.say(f"this clone does not reach back to {PREVIOUS}: no upgrade is rehearsed")
        on.deploy("new", "--package", str(now))
    on.furnish(scratch / "tree-before" if before is not None else ROOT)
    if before is not None:
        on.place("upgraded-1")
        on.place("held", NOWHERE)
        on.wait("upgraded-1 on its way", 180, lambda: on.state("upgraded-1") in FORWARD)
        on.place("upgraded-2")
        on.say(f"--- the upgrade, with orders in flight: {on.states()} ---")
        on.deploy("new", "--package", str(now))
        on.locate()
        on.arrives("upgraded-1", "upgraded-2")
        on.recount()
    on.layers()
    on.say("--- an order through the functions of this version ---")
    on.place("cake")
    on.arrives("cake")
    on.evidence("cake")
    on.rotate()
    on.recount()
    on.place("back-1")
    on.wait("back-1 on its way", 180, lambda: on.state("back-1") in FORWARD)
    on.place("back-2")
    on.say(f"--- a bad version, and the way back, with orders in flight: {on.states()} ---")
    bad = on.spoilt()
    on.deploy("new", "--package", str(bad), fails=True)
    on.deploy("back")
    on.locate()
    on.layers()
    on.arrives("back-1", "back-2")
    on.recount(failures=True)
    if before is not None:
        on.say("--- not back past the kind of rows that was written ---")
        on.deploy("back", "--to", first, fails=True)
        assert on.state("held") == "held"
    on.say("the rehearsal ends well")
    return on
