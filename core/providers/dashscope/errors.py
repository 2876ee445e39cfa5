"""The vendor's error codes as typed errors. No I/O.

Every vendor page says that failed calls are never billed: an error here is charged "no", except
for a lost answer.
"""

from typing import Any

from core.errors import Misconfigured, ProviderError, Refused, Retryable

REFUSED = {
    "DataInspectionFailed": "provider.moderation_input",
    "data_inspection_failed": "provider.moderation_input",
    "InvalidParameter.DataInspection": "provider.picture_unreachable",
    "IPInfringementSuspect": "provider.infringement",
    "CustomRoleBlocked": "provider.moderation_input",
    "FaqRuleBlocked": "provider.moderation_input",
    "InvalidURL": "provider.picture_unreachable",
    "InvalidURL.ConnectionRefused": "provider.picture_unreachable",
    "InvalidURL.Timeout": "provider.picture_unreachable",
    "BadRequest.InputDownloadFailed": "provider.picture_unreachable",
    "BadRequest.ResourceNotExist": "provider.picture_unreachable",
    "InvalidImageResolution": "provider.picture_size",
    "InvalidImage.ImageSize": "provider.picture_size",
    "InvalidFile.Resolution": "provider.picture_size",
    "InvalidFile.Size": "provider.picture_size",
    "InvalidFile.ImageSize": "provider.picture_size",
    "InvalidFile.AspectRatio": "provider.picture_size",
    "BadRequest.TooLarge": "provider.picture_size",
    "InvalidImageFormat": "provider.picture_format",
    "InvalidImage.FileFormat": "provider.picture_format",
    "InvalidFile.Format": "provider.picture_format",
    "InvalidFile.Openerror": "provider.picture_format",
    "BadRequest.UnsupportedFileFormat": "provider.picture_format",
    "InvalidParameter": "provider.parameter",
    "BadRequest.EmptyInput": "provider.parameter",
    "BadRequest.EmptyParameters": "provider.parameter",
    "BadRequest.IllegalInput": "provider.parameter",
    "UnsupportedOperation": "provider.parameter",
}
MISCONFIGURED = {
    "InvalidApiKey": "provider.key",
    "invalid_api_key": "provider.key",
    "NOT AUTHORIZED": "provider.key",
    "Arrearage": "provider.arrears",
    "PrepaidBillOverdue": "provider.arrears",
    "PostpaidBillOverdue": "provider.arrears",
    "CommodityNotPurchased": "provider.arrears",
    "AccessDenied": "provider.access",
    "AccessDenied.Unpurchased": "provider.access",
    "Model.AccessDenied": "provider.access",
    "Workspace.AccessDenied": "provider.access",
    "App.AccessDenied": "provider.access",
    "AllocationQuota.FreeTierOnly": "provider.free_tier",
    "BadRequest.EmptyModel": "provider.model",
    "ModelNotFound": "provider.model",
    "model_not_found": "provider.model",
    "model_not_supported": "provider.model",
    "WorkSpaceNotFound": "provider.access",
    "NotFound": "provider.model",
    "Conflict": "provider.parameter",
}
THROTTLED = {
    "LimitRequests",
    "limit_requests",
    "limit_burst_rate",
    "insufficient_quota",
    "ModelServingError",
}
HICCUPS = {
    "InternalError",
    "internal_error",
    "SystemError",
    "ModelServiceFailed",
    "ModelUnavailable",
    "RewriteFailed",
    "RequestTimeOut",
    "ClientDisconnect",
}
# The message tells apart what one code covers; compared in lower case from its start.
BY_MESSAGE = (
    ("output data may contain", Refused, "provider.moderation_output"),
    ("model not exist", Misconfigured, "provider.model"),
    ("url error", Misconfigured, "provider.model"),
    ("free allocated quota exceeded", Misconfigured, "provider.free_tier"),
    ("download image failed", Refused, "provider.picture_unreachable"),
    ("failed to download", Refused, "provider.picture_unreachable"),
    ("oss download error", Refused, "provider.picture_unreachable"),
    (
        "wrong content-type of multimodal url",
        Refused,
        "provider.picture_unreachable",
    ),
    (
        "don't have authorization to access the media",
        Refused,
        "provider.picture_unreachable",
    ),
    ("unable to download the media", Refused, "provider.picture_unreachable"),
    ("image format error", Refused, "provider.picture_format"),
    ("invalid image format", Refused, "provider.picture_format"),
    ("read image error", Refused, "provider.picture_format"),
    ("input files format not supported", Refused, "provider.picture_format"),
    ("failed to decode the image", Refused, "provider.picture_format"),
    ("the size of input image is too small", Refused, "provider.picture_size"),
    ("the image size is not supported", Refused, "provider.picture_size"),
    ("exceeded limit on max bytes", Refused, "provider.picture_size"),
    ("multimodal file size is too large", Refused, "provider.picture_size"),
    (
        "the image content does not comply",
        Refused,
        "provider.moderation_input",
    ),
)


def error_for(
    code: str,
    message: str,
    status: int,
    request_id: str,
) -> ProviderError:
    """Return the typed error of a refusal that the vendor put into words.

    The raw message does not leave this module.
    """
    about: dict[str, Any] = {
        "code": code[:100],
        "request_id": request_id[:100],
    }
    lowered = message.lower()
    for start, kind, key in BY_MESSAGE:
        if lowered.startswith(start):
            return kind(key, **about)
    if code in REFUSED:
        return Refused(REFUSED[code], **about)
    if code in MISCONFIGURED:
        return Misconfigured(MISCONFIGURED[code], **about)
    # A prefix in front of a moderation verdict is still one, and never worth another try.
    if code.endswith("DataInspectionFailed"):
        return Refused("provider.moderation_input", **about)
    return _by_family(code, status, about)


def _by_family(code: str, status: int, about: dict[str, Any]) -> ProviderError:
    if code.startswith("Throttling") or code in THROTTLED or status == 429:
        return Retryable("provider.busy", **about)
    if code.startswith("InternalError") or code in HICCUPS or status >= 500:
        return Retryable("provider.hiccup", **about)
    if status in {401, 403}:
        return Misconfigured("provider.key", **about)
    return Refused("provider.parameter", **about)
