"""A header that tells a gateway whose quota a call is to be charged to."""

from typing import ClassVar

from pydantic import Field

from lamellar import ChatOptions, ExecutorWrapper, LayerSpec


class QuotaHeader(LayerSpec):
    """Send a tag of the call as a header, for gateways that count by it.

    A header of that name that the caller has set stands.

    Args:
        header: The header's name.
        tag: The tag of the call's `CallContext` that is sent.
        default: What is sent for a call without that tag; None sends no header then.
    """

    kind: ClassVar[str] = "quota_header"
    asks_once: ClassVar[bool] = True

    header: str = Field(default="X-Quota-Owner", pattern=r"^[A-Za-z0-9-]+$")
    tag: str = Field(default="team", min_length=1)
    default: str | None = None

    def wrap(self, inner, context):
        return QuotaHeaderExecutor(inner, self)

    def identity(self):
        return None  # it changes who pays, not what is answered


class QuotaHeaderExecutor(ExecutorWrapper):
    def __init__(self, inner, spec):
        super().__init__(inner)
        self.spec = spec

    async def _exec(self, operation, model, chat_req, options):
        return await operation(self.inner, model, chat_req, self._with_header(options))

    def _with_header(self, options):
        headers = (options.extra_headers if options else None) or {}
        if any(name.lower() == self.spec.header.lower() for name in headers):
            return options
        tags = options.call.tags if options and options.call else {}
        owner = tags.get(self.spec.tag, self.spec.default)
        if owner is None:
            return options
        # Made anew, so that a value with a line break is refused; never changed in place, for it is the caller's.
        return ChatOptions(extra_headers={**headers, self.spec.header: owner}).over(options)
