"""What a rehearsal stands on: an emulated AWS that deploys by CloudFormation, a courier company, and a brand on what
the functions take for the public internet.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tarfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import botocore.session
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli import package
from sandbox.brand import BrandServer
from sandbox.clock import RealClock
from sandbox.conduct import Conduct
from sandbox.emulator import REGION, Emulator
from sandbox.fleet import CourierCompany
from sandbox.voices.wechat import WeChat, account

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
INTERPRETER = ROOT / "build" / "emulator"
SERVICES = "apigateway,cloudformation,cloudwatch,dynamodb,events,iam,kms,lambda,logs,monitoring,s3,secretsmanager,sns,sqs,sts"
BRAND_HOST = "hooks.maison-celadon.com"
BRAND_ADDRESS = "93.184.215.14"
"""Public, so that nothing in the package has to be told that this is a rehearsal; no packet ever goes there."""


def _is_unknown(resource: dict[str, Any]) -> bool:
    """What the emulator's CloudFormation does not know, left out of what is rehearsed, and said: schedules of
    rotation, and alarms on more than one metric."""
    kind, properties = resource["Type"], resource.get("Properties", {})
    return kind == "AWS::SecretsManager::RotationSchedule" or (
        kind == "AWS::CloudWatch::Alarm" and "Metrics" in properties
    )


def interpreter() -> Path:
    """The Python of the emulator; made on first use, which needs the package index."""
    python = INTERPRETER / "bin" / "python"
    stamp, wanted = INTERPRETER / "installed.txt", (HERE / "requirements.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(INTERPRETER, clear=True, with_pip=True)
        subprocess.run(
            [
                python,
                "-m",
                "pip",
                "install",
                "-qq",
                "--disable-pip-version-check",
                "-r",
                HERE / "requirements.txt",
            ],
            check=True,
        )
        stamp.write_text(wanted)
    return python


def tree_of(commit: str, to: Path) -> Path | None:
    """The tree of that commit, for building its package; None when this clone does not have it."""
    asked = [
        "git",
        "-C",
        ROOT,
        "archive",
        commit,
        "app.py",
        "chalicelib",
        "cli",
        ".chalice",
        "requirements.txt",
    ]
    done = subprocess.run(asked, capture_output=True, check=False)  # noqa: S607
    if done.returncode != 0:
        return None
    with tarfile.open(fileobj=BytesIO(done.stdout)) as packed:
        packed.extractall(to, filter="data")
    return to


def build(out: Path, root: Path = ROOT) -> list[str]:
    """Package that tree for this machine; what had to be left out."""
    template = package.package(out, root=root, architecture=package.of_this_machine())
    left_out = [name for name, r in template["Resources"].items() if _is_unknown(r)]
    for name in left_out:
        del template["Resources"][name]
    for statement in _statements(template):
        _widen(statement)
    (out / "sam.yaml").write_text(yaml.safe_dump(template))
    return left_out


def _widen(statement: dict[str, Any]) -> None:
    """What the emulator asks for otherwise than AWS does: a batch of messages needs an action of its own, and a `Ref` to
    a secret is its name where AWS has its ARN."""
    if "sqs:SendMessage" in statement["Action"]:
        statement["Action"].append("sqs:SendMessageBatch")
    if statement["Action"][0].startswith("secretsmanager:"):
        head = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
        statement["Resource"] = [{"Fn::Sub": f"{head}${{{one['Ref']}}}-*"} for one in statement["Resource"]]


def _statements(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", ()):
                yield from policy["PolicyDocument"]["Statement"]


@dataclass
class Cloud:
    """Everything that is not ours."""

    emulator: Emulator
    company: CourierCompany
    brands: BrandServer
    client: Callable[[str], Any]
    accounts: dict[str, Any]

    @property
    def address(self) -> str:
        """Where the deployed API answers; {api} is its id."""
        return f"{self.emulator.endpoint}/_aws/execute-api/{{api}}/api"

    def run(self, *command: str, fails: bool = False, tree: Path = ROOT) -> str:
        """A command of that tree with the operator's environment; what it printed. Raises AssertionError when it ends
        otherwise than expected."""
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tree,
            env={**os.environ, **self.emulator.environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) is fails, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@contextmanager
def cloud(home: Path) -> Iterator[Cloud]:
    """All of it; its state and the emulator's log stay in `home`."""
    home.mkdir(parents=True, exist_ok=True)
    clock, known = RealClock(), account("sf")
    conduct = Conduct(
        assign_after=timedelta(seconds=5),
        shop_wait=timedelta(seconds=5),
        ride=timedelta(seconds=20),
        late=timedelta(days=-1),
        at_gate=lambda job: "door",
    )
    brands = BrandServer(lambda: datetime.now(UTC))
    trusted = _serve_tls(brands, home)
    emulator = Emulator(
        home,
        python=interpreter(),
        services=SERVICES,
        also={
            "CORDON_SANDBOX_DEPLOYS": "1",
            "LAMBDA_EXECUTOR": "local",
            "LOG_LEVEL": "INFO",
            "PYTHONPATH": str(HERE / "outside"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SSL_CERT_FILE": str(trusted),
            "REHEARSAL_NAMES": json.dumps({BRAND_HOST: BRAND_ADDRESS}),
            "REHEARSAL_ROUTES": json.dumps({BRAND_ADDRESS: brands.server.server_address[:2]}),
        },
    )

    def client(service: str) -> Any:
        told = emulator.environment
        return botocore.session.get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=emulator.endpoint,
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        )

    try:
        with CourierCompany(WeChat(known), clock, conduct=conduct) as company, emulator:
            accounts = {"couriers": {"wechat": {"sf": [{**known, "base_url": company.url}]}}}
            yield Cloud(emulator, company, brands, client, accounts)
    finally:
        brands.close()
        clock.close()


def _serve_tls(brands: BrandServer, home: Path) -> Path:
    """Give the brand's receiver a certificate for its name; the file of the authority that signed it."""
    now, day = datetime.now(UTC), timedelta(days=1)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def certificate(name: str, key: Any, by: str, by_key: Any, *extensions: Any) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(by))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
        )
        for extension, critical in extensions:
            made = made.add_extension(extension, critical)
        return made.sign(by_key, hashes.SHA256())

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    signs = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage)
    identity = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = certificate(
        "rehearsal", root_key, "rehearsal", root_key,
        (x509.BasicConstraints(ca=True, path_length=0), True), (signs, True), (identity, False),
    )  # fmt: skip
    leaf = certificate(
        BRAND_HOST, key, "rehearsal", root_key,
        (x509.SubjectAlternativeName([x509.DNSName(BRAND_HOST)]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False),
    )  # fmt: skip
    trusted, both = home / "authority.pem", home / "brand.pem"
    trusted.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    brands.server.socket = context.wrap_socket(brands.server.socket, server_side=True)
    return trusted
