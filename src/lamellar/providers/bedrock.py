"""Amazon Bedrock's Converse."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from ..errors import ConfigError
from ..secrets import AnySecret
from .connection import checked_url, resolved
from .spec import HttpProvider

if TYPE_CHECKING:
    from ..build import BuildContext
    from .aws.credentials import CredentialSource
    from .http import HttpExecutor

__all__ = ["Bedrock"]

_KEYS = ("BEDROCK_API_KEY", "AWS_BEARER_TOKEN_BEDROCK")
_ENDPOINTS = ("BEDROCK_BASE_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME")
_REGION = "us-east-1"
_AWS = re.compile(r"\.(?:amazonaws\.com(?:\.cn)?|api\.aws)\Z")


class Bedrock(HttpProvider):
    """Amazon Bedrock's Converse API (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html).

    `Bedrock(region="eu-west-1")` asks with a key of Bedrock's own, out of `BEDROCK_API_KEY` or, as AWS's SDKs have it,
    `AWS_BEARER_TOKEN_BEDROCK`. Without a key each request is signed (Signature Version 4) with the credentials that are
    given here, or with those of AWS's usual chain: the environment, a profile, single sign-on, a role; that needs the
    extra ``bedrock``. A model is named by its id, an inference profile's id, or an ARN. What has no option of ours,
    such as `guardrailConfig`, goes into a call's (or a Target's) `extra_body`.

    Args:
        region: The region, such as ``eu-west-1``. Default: the one in `base_url`, then `AWS_REGION`, then
            `AWS_DEFAULT_REGION`, then the profile's in AWS's configuration file, then ``us-east-1``.
        profile: The profile to take credentials and the region from, whatever key the environment holds. Default:
            `AWS_PROFILE`, then ``default``.
        access_key_id: The id of an access key, in place of the chain: `{env: NAME}`, `{file: path}` or text.
        secret_access_key: The access key itself.
        session_token: The token that temporary credentials come with.
        base_url: The endpoint; by default `BEDROCK_BASE_URL`, then `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, then the
            region's own. To one that is not AWS's, requests go unsigned, unless credentials or a profile are given.
        api_key: The key. Default: see above.
        headers: See `HttpProvider`, as for all other options.
    """

    kind: ClassVar[str] = "bedrock"
    namespace: ClassVar[str] = "bedrock"

    region: str | None = Field(default=None, pattern=r"^[a-z0-9-]+$")
    profile: str | None = Field(default=None, min_length=1)
    access_key_id: AnySecret | None = None
    secret_access_key: AnySecret | None = None
    session_token: AnySecret | None = None

    @model_validator(mode="after")
    def _one_who_asks(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ConfigError("access_key_id and secret_access_key go together: give both, or neither")
        if self.session_token is not None and self.access_key_id is None:
            raise ConfigError("session_token belongs to an access key: give access_key_id and secret_access_key too")
        said = [name for name in ("api_key", "access_key_id", "profile") if getattr(self, name) is not None]
        if len(said) > 1:
            raise ConfigError(f"{' and '.join(said)} each say who asks; leave all but one out")
        return self

    def address(self) -> str:
        """The base URL: the one that was given, a variable's, or the region's own."""
        from .aws.region import host_of

        return self._own_root() or f"https://{host_of('bedrock-runtime', self.place())}"

    def place(self) -> str:
        """The region."""
        from .aws.region import region_in, usual_region

        root = self._own_root()
        return self.region or (root and region_in(root)) or usual_region(self.profile) or _REGION

    def _own_root(self) -> str | None:
        if self.base_url is not None:
            return self.base_url
        for variable in _ENDPOINTS:
            if found := os.environ.get(variable):
                return checked_url(found, variable)
        return None

    def keys(self) -> tuple[str, ...]:
        """The key; none where requests are signed, or a gateway of one's own wants none.

        Raises:
            ConfigError: There is none, and nothing to sign with.
        """
        if self.api_key is not None:
            return super().keys()
        if self.access_key_id is not None:
            return ()
        key = None if self.profile is not None else next((key for name in _KEYS if (key := os.environ.get(name))), None)
        if key is not None:
            return (key,)
        if self._asks_the_chain():
            from .aws.credentials import botocore_is_installed

            if not botocore_is_installed():
                raise ConfigError(
                    f"{self.label}.api_key: no key; set the environment variable {_KEYS[0]}, or install botocore for "
                    "AWS's own credentials: pip install 'lamellar[bedrock]'"
                )
        return ()

    def _asks_the_chain(self) -> bool:
        """Whether AWS's chain of credentials is meant, where neither a key nor credentials are given."""
        if self.profile is not None:
            return True
        if any(name.lower() == "authorization" for name in self.headers):
            return False
        root = self._own_root()
        return root is None or _AWS.search(urlsplit(root).hostname or "") is not None

    def leaf(self, context: BuildContext, keys: tuple[str, ...]) -> HttpExecutor:
        """The leaf; without a key it signs what it sends.

        Raises:
            ConfigError: A credential is missing.
        """
        leaf = super().leaf(context, keys)
        source = None if keys else self._source()
        if source is not None:
            from .aws.signer import AwsSigner

            leaf.endpoint = replace(leaf.endpoint, sign=AwsSigner(source, self.place(), "bedrock", context.clock.wall))
        return leaf

    def _source(self) -> CredentialSource | None:
        from .aws.credentials import CredentialChain, GivenCredentials
        from .aws.sigv4 import AwsCredentials

        if self.access_key_id is not None and self.secret_access_key is not None:
            token = self.session_token
            return GivenCredentials(
                AwsCredentials(
                    resolved(self.access_key_id, f"{self.label}.access_key_id"),
                    resolved(self.secret_access_key, f"{self.label}.secret_access_key"),
                    None if token is None else resolved(token, f"{self.label}.session_token"),
                )
            )
        return CredentialChain(self.profile) if self._asks_the_chain() else None
