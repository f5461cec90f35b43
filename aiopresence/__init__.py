"""RingCentral presence for asyncio: any number of extensions in, one typed outcome each out.

Start with `PresenceSession`; try it with `aiopresence.sandbox.Sandbox`, which needs no account.

The package has layers. A module imports from its own layer and from those above it in this list,
never from one below, and never in a cycle; tests/test_layering.py checks it.

- Values: `errors`, `enums`, `redaction`, `ids`, `grants`, `credentials`, `models`, `filters`.
- `protocol`: requests, parsing, rate limits, retries, event sessions and presence state, as pure
  functions and state machines. Time and randomness are arguments: neither `protocol` nor the
  values import asyncio, aiohttp or time.
- `proxies`: the proxy that a session or the environment names. `concurrency` and `transport`:
  everything that waits or does I/O, and the only use of aiohttp's client.
- `directory`: who the extensions of an account are. `directory_reader` reads it.
- `bulk`, `bulk_writer` and `account_reader`: batches of many ids, and pages of a whole account.
  `readers`, `routed_read` and `route_reader`: both, by the route that is complete first.
- `queue_api` and `presence_api`: the presence calls. `temporary_presence`: a change for the time of
  a block. `live`: events, the board and polling.
- `session`: `PresenceSession`, which puts all of these together.
- `webhooks`: the receiver of webhook notifications. `redis`: what processes share over Redis, and
  the only use of redis-py. `web`: the dashboard, which uses the public names only.
- `sandbox`: a simulated RingCentral. It shares no code with `protocol` and `transport`, so that
  they cannot have the same mistake. `cli`: the command, which uses the public names only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import filters as filters
    from .directory import (
        Directory as Directory,
    )
    from .enums import (
        Availability as Availability,
        CallDirection as CallDirection,
        CallerIdVisibility as CallerIdVisibility,
        CallInfoType as CallInfoType,
        DndStatus as DndStatus,
        ExtensionStatus as ExtensionStatus,
        ExtensionType as ExtensionType,
        GlipAvailability as GlipAvailability,
        GlipStatus as GlipStatus,
        MeetingStatus as MeetingStatus,
        OpenStrEnum as OpenStrEnum,
        PresenceStatus as PresenceStatus,
        TelephonyAvailability as TelephonyAvailability,
        TelephonyStatus as TelephonyStatus,
        TerminationType as TerminationType,
        UnifiedMeetingStatus as UnifiedMeetingStatus,
        UnifiedStatus as UnifiedStatus,
        UserStatus as UserStatus,
        Visibility as Visibility,
    )
    from .errors import (
        ApiError as ApiError,
        AuthError as AuthError,
        BatchError as BatchError,
        ConnectionFailed as ConnectionFailed,
        DecodeError as DecodeError,
        InvalidRequest as InvalidRequest,
        LookupFailed as LookupFailed,
        NotFound as NotFound,
        PermissionDenied as PermissionDenied,
        PresenceError as PresenceError,
        RateLimited as RateLimited,
        RedisFailed as RedisFailed,
        RestoreFailed as RestoreFailed,
        ServerError as ServerError,
        SessionLost as SessionLost,
        Timeout as Timeout,
        TransportError as TransportError,
        UsageError as UsageError,
    )
    from .grants import (
        AccessToken as AccessToken,
        AuthorizationCodeGrant as AuthorizationCodeGrant,
        JwtGrant as JwtGrant,
        RefreshTokenGrant as RefreshTokenGrant,
    )
    from .live import (
        PresenceBoard as PresenceBoard,
    )
    from .models import (
        AccountPresenceInfo as AccountPresenceInfo,
        ActiveCallInfo as ActiveCallInfo,
        AdditionalCQInfo as AdditionalCQInfo,
        AppearanceInfo as AppearanceInfo,
        CallInfoCQ as CallInfoCQ,
        CallQueueId as CallQueueId,
        CallQueueMember as CallQueueMember,
        CallQueueMemberEventBody as CallQueueMemberEventBody,
        CallQueueMemberId as CallQueueMemberId,
        CallQueueMemberPresence as CallQueueMemberPresence,
        CallQueuePresence as CallQueuePresence,
        CallQueueUpdateMemberPresence as CallQueueUpdateMemberPresence,
        CallQueueUpdatePresence as CallQueueUpdatePresence,
        ChangeSource as ChangeSource,
        DetailedCallInfo as DetailedCallInfo,
        DirectoryEntry as DirectoryEntry,
        DisabledFilterInfo as DisabledFilterInfo,
        ExtensionCallQueuePresence as ExtensionCallQueuePresence,
        ExtensionCallQueuePresenceList as ExtensionCallQueuePresenceList,
        ExtensionCallQueueUpdatePresence as ExtensionCallQueueUpdatePresence,
        ExtensionCallQueueUpdatePresenceList as ExtensionCallQueueUpdatePresenceList,
        GetPresenceExtensionInfo as GetPresenceExtensionInfo,
        GetPresenceInfo as GetPresenceInfo,
        LineAppearanceInfo as LineAppearanceInfo,
        LineStatus as LineStatus,
        NotificationBlacklistedData as NotificationBlacklistedData,
        NotificationDeliveryMode as NotificationDeliveryMode,
        PresenceCallQueueInfo as PresenceCallQueueInfo,
        PresenceChange as PresenceChange,
        PresenceEvent as PresenceEvent,
        PresenceEventBody as PresenceEventBody,
        PresenceInfoRequest as PresenceInfoRequest,
        PresenceInfoResponse as PresenceInfoResponse,
        PresenceLineEventBody as PresenceLineEventBody,
        PresenceLineExtension as PresenceLineExtension,
        PresenceNavigationInfo as PresenceNavigationInfo,
        PresenceNavigationInfoURI as PresenceNavigationInfoURI,
        PresencePagingInfo as PresencePagingInfo,
        PrimaryCQInfo as PrimaryCQInfo,
        Resync as Resync,
        ResyncReason as ResyncReason,
        SiteBasicInfo as SiteBasicInfo,
        SubscriptionInfo as SubscriptionInfo,
        SubscriptionStatus as SubscriptionStatus,
        UnifiedPresence as UnifiedPresence,
        UnifiedPresenceGlip as UnifiedPresenceGlip,
        UnifiedPresenceMeeting as UnifiedPresenceMeeting,
        UnifiedPresenceTelephony as UnifiedPresenceTelephony,
        UpdateUnifiedPresence as UpdateUnifiedPresence,
        UpdateUnifiedPresenceGlip as UpdateUnifiedPresenceGlip,
        UpdateUnifiedPresenceTelephony as UpdateUnifiedPresenceTelephony,
    )
    from .protocol.json_values import (
        from_dict as from_dict,
        to_dict as to_dict,
        to_json as to_json,
    )
    from .protocol.oauth import (
        authorize_url as authorize_url,
    )
    from .protocol.outcome import (
        BatchResult as BatchResult,
        Outcome as Outcome,
    )
    from .protocol.rate_limits import (
        GroupLimits as GroupLimits,
    )
    from .protocol.rest import (
        Response as Response,
    )
    from .protocol.stats import (
        Stats as Stats,
    )
    from .session import (
        PresenceSession as PresenceSession,
    )
    from .temporary_presence import (
        TemporaryPresence as TemporaryPresence,
    )
    from .transport.hooks import (
        ConnectionChanged as ConnectionChanged,
        RateLimitHit as RateLimitHit,
        RequestFinished as RequestFinished,
        RequestSent as RequestSent,
        RetryScheduled as RetryScheduled,
        SessionHooks as SessionHooks,
        TokenObtained as TokenObtained,
        WaitEnded as WaitEnded,
    )
    from .transport.token_store import (
        FileTokenStore as FileTokenStore,
        MemoryTokenStore as MemoryTokenStore,
        TokenStore as TokenStore,
    )

__version__: str

# The public names by their module. A module is imported when one of its names is first used, so
# that the command line starts without waiting for all of them. Type checkers read the imports
# above instead; a test compares the two.
_EXPORTS = {
    "filters": "filters",
    "directory": "Directory",
    "enums": """
        Availability CallDirection CallerIdVisibility CallInfoType DndStatus ExtensionStatus
        ExtensionType GlipAvailability GlipStatus MeetingStatus OpenStrEnum PresenceStatus
        TelephonyAvailability TelephonyStatus
        TerminationType UnifiedMeetingStatus UnifiedStatus UserStatus Visibility
    """,
    "errors": """
        ApiError AuthError BatchError ConnectionFailed DecodeError InvalidRequest LookupFailed
        NotFound PermissionDenied PresenceError RateLimited RedisFailed RestoreFailed ServerError
        SessionLost
        Timeout TransportError UsageError
    """,
    "grants": "AccessToken AuthorizationCodeGrant JwtGrant RefreshTokenGrant",
    "live": "PresenceBoard",
    "models": """
        AccountPresenceInfo ActiveCallInfo AdditionalCQInfo AppearanceInfo CallInfoCQ
        CallQueueId CallQueueMember CallQueueMemberEventBody CallQueueMemberId
        CallQueueMemberPresence CallQueuePresence CallQueueUpdateMemberPresence
        CallQueueUpdatePresence ChangeSource DetailedCallInfo DirectoryEntry DisabledFilterInfo
        ExtensionCallQueuePresence ExtensionCallQueuePresenceList
        ExtensionCallQueueUpdatePresence ExtensionCallQueueUpdatePresenceList
        GetPresenceExtensionInfo GetPresenceInfo LineAppearanceInfo LineStatus
        NotificationBlacklistedData NotificationDeliveryMode PresenceCallQueueInfo
        PresenceChange PresenceEvent PresenceEventBody PresenceInfoRequest
        PresenceInfoResponse PresenceLineEventBody PresenceLineExtension
        PresenceNavigationInfo PresenceNavigationInfoURI PresencePagingInfo PrimaryCQInfo
        Resync ResyncReason SiteBasicInfo SubscriptionInfo SubscriptionStatus
        UnifiedPresence UnifiedPresenceGlip UnifiedPresenceMeeting UnifiedPresenceTelephony
        UpdateUnifiedPresence UpdateUnifiedPresenceGlip UpdateUnifiedPresenceTelephony
    """,
    "protocol.json_values": "from_dict to_dict to_json",
    "protocol.oauth": "authorize_url",
    "protocol.outcome": "BatchResult Outcome",
    "protocol.rate_limits": "GroupLimits",
    "protocol.rest": "Response",
    "protocol.stats": "Stats",
    "session": "PresenceSession",
    "temporary_presence": "TemporaryPresence",
    "transport.hooks": """
        ConnectionChanged RateLimitHit RequestFinished RequestSent RetryScheduled SessionHooks
        TokenObtained WaitEnded
    """,
    "transport.token_store": "FileTokenStore MemoryTokenStore TokenStore",
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names.split()}

__all__ = sorted(_MODULES)


if not TYPE_CHECKING:  # Otherwise, type checkers would accept any name.

    def __getattr__(name: str) -> object:
        """Import a public name."""
        if name == "__version__":
            from importlib.metadata import version

            return version("aiopresence")
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_MODULES[name]}")
        value = module if name == "filters" else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
