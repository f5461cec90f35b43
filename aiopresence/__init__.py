"""RingCentral presence for asyncio: any number of extensions in, one typed answer each.

Start with `PresenceSession`; try it on `aiopresence.sandbox.Sandbox`, without an account.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import filters
    from .errors import (
        ApiError,
        AuthError,
        BatchError,
        ConnectionFailed,
        DecodeError,
        InvalidRequest,
        NotFound,
        PermissionDenied,
        PresenceError,
        RateLimited,
        ServerError,
        SessionLost,
        Timeout,
        TransportError,
        UsageError,
    )
    from .grants import AccessToken, AuthorizationCodeGrant, JwtGrant, RefreshTokenGrant
    from .live import PresenceBoard
    from .models import (
        AccountPresenceInfo,
        ActiveCallInfo,
        AdditionalCQInfo,
        AppearanceInfo,
        CallDirection,
        CallerIdVisibility,
        CallInfoCQ,
        CallInfoType,
        CallQueueId,
        CallQueueMember,
        CallQueueMemberEventBody,
        CallQueueMemberId,
        CallQueueMemberPresence,
        CallQueuePresence,
        CallQueueUpdateMemberPresence,
        CallQueueUpdatePresence,
        ChangeSource,
        DetailedCallInfo,
        DisabledFilterInfo,
        DndStatus,
        ExtensionCallQueuePresence,
        ExtensionCallQueuePresenceList,
        ExtensionCallQueueUpdatePresence,
        ExtensionCallQueueUpdatePresenceList,
        GetPresenceExtensionInfo,
        GetPresenceInfo,
        GlipAvailability,
        GlipStatus,
        LineAppearanceInfo,
        LineStatus,
        MeetingStatus,
        NotificationBlacklistedData,
        NotificationDeliveryMode,
        OpenStrEnum,
        PresenceCallQueueInfo,
        PresenceChange,
        PresenceEvent,
        PresenceEventBody,
        PresenceInfoRequest,
        PresenceInfoResponse,
        PresenceLineEventBody,
        PresenceLineExtension,
        PresenceNavigationInfo,
        PresenceNavigationInfoURI,
        PresencePagingInfo,
        PresenceStatus,
        PrimaryCQInfo,
        Resync,
        ResyncReason,
        SiteBasicInfo,
        SubscriptionInfo,
        SubscriptionStatus,
        TelephonyAvailability,
        TelephonyStatus,
        TerminationType,
        UnifiedMeetingStatus,
        UnifiedPresence,
        UnifiedPresenceGlip,
        UnifiedPresenceMeeting,
        UnifiedPresenceTelephony,
        UnifiedStatus,
        UpdateUnifiedPresence,
        UpdateUnifiedPresenceGlip,
        UpdateUnifiedPresenceTelephony,
        UserStatus,
        Visibility,
    )
    from .protocol.oauth import authorize_url
    from .protocol.outcome import BatchResult, Outcome
    from .protocol.rate_limits import GroupLimits
    from .protocol.rest import Response
    from .session import PresenceSession
    from .transport.hooks import (
        ConnectionChanged,
        RateLimitHit,
        RequestFinished,
        RequestSent,
        RetryScheduled,
        SessionHooks,
        TokenObtained,
        WaitEnded,
    )
    from .transport.instrumentation import Stats
    from .transport.token_store import FileTokenStore, MemoryTokenStore, TokenStore

__all__ = [
    "AccessToken",
    "AccountPresenceInfo",
    "ActiveCallInfo",
    "AdditionalCQInfo",
    "ApiError",
    "AppearanceInfo",
    "AuthError",
    "AuthorizationCodeGrant",
    "BatchError",
    "BatchResult",
    "CallDirection",
    "CallInfoCQ",
    "CallInfoType",
    "CallQueueId",
    "CallQueueMember",
    "CallQueueMemberEventBody",
    "CallQueueMemberId",
    "CallQueueMemberPresence",
    "CallQueuePresence",
    "CallQueueUpdateMemberPresence",
    "CallQueueUpdatePresence",
    "CallerIdVisibility",
    "ChangeSource",
    "ConnectionChanged",
    "ConnectionFailed",
    "DecodeError",
    "DetailedCallInfo",
    "DisabledFilterInfo",
    "DndStatus",
    "ExtensionCallQueuePresence",
    "ExtensionCallQueuePresenceList",
    "ExtensionCallQueueUpdatePresence",
    "ExtensionCallQueueUpdatePresenceList",
    "FileTokenStore",
    "GetPresenceExtensionInfo",
    "GetPresenceInfo",
    "GlipAvailability",
    "GlipStatus",
    "GroupLimits",
    "InvalidRequest",
    "JwtGrant",
    "LineAppearanceInfo",
    "LineStatus",
    "MeetingStatus",
    "MemoryTokenStore",
    "NotFound",
    "NotificationBlacklistedData",
    "NotificationDeliveryMode",
    "OpenStrEnum",
    "Outcome",
    "PermissionDenied",
    "PresenceBoard",
    "PresenceCallQueueInfo",
    "PresenceChange",
    "PresenceError",
    "PresenceEvent",
    "PresenceEventBody",
    "PresenceInfoRequest",
    "PresenceInfoResponse",
    "PresenceLineEventBody",
    "PresenceLineExtension",
    "PresenceNavigationInfo",
    "PresenceNavigationInfoURI",
    "PresencePagingInfo",
    "PresenceSession",
    "PresenceStatus",
    "PrimaryCQInfo",
    "RateLimitHit",
    "RateLimited",
    "RefreshTokenGrant",
    "RequestFinished",
    "RequestSent",
    "Response",
    "Resync",
    "ResyncReason",
    "RetryScheduled",
    "ServerError",
    "SessionHooks",
    "SessionLost",
    "SiteBasicInfo",
    "Stats",
    "SubscriptionInfo",
    "SubscriptionStatus",
    "TelephonyAvailability",
    "TelephonyStatus",
    "TerminationType",
    "Timeout",
    "TokenObtained",
    "TokenStore",
    "TransportError",
    "UnifiedMeetingStatus",
    "UnifiedPresence",
    "UnifiedPresenceGlip",
    "UnifiedPresenceMeeting",
    "UnifiedPresenceTelephony",
    "UnifiedStatus",
    "UpdateUnifiedPresence",
    "UpdateUnifiedPresenceGlip",
    "UpdateUnifiedPresenceTelephony",
    "UsageError",
    "UserStatus",
    "Visibility",
    "WaitEnded",
    "authorize_url",
    "filters",
]


# Where the names are, in the order in which they are looked for. They are brought in when they are
# first asked for: the command line must not wait for all of them to say what its options are.
_HOMES = (
    *("errors", "grants", "models", "protocol.rate_limits", "protocol.oauth", "protocol.outcome"),
    *(
        "protocol.rest",
        "transport.hooks",
        "transport.instrumentation",
        "transport.token_store",
        "live",
        "session",
    ),
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("aiopresence")
    if name in __all__:
        if name == "filters":
            return import_module(f"{__name__}.filters")
        for home in _HOMES:
            found = getattr(import_module(f"{__name__}.{home}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
