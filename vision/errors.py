"""What can go wrong in a camera gateway.

VisionError             root: the gateway cannot do its work
├── CaptureError        a camera or a video gives no pictures
├── DetectorError       the detector does not answer, or not as agreed
│   └── DetectorRefused the request itself is refused: trying again is no use
├── PublishError        events cannot be handed to the broker
├── PreviewError        the gateway cannot show its pictures on this machine
└── CalibrationRefused  points or looks of which no calibration follows
"""


class VisionError(Exception):
    """The gateway cannot do its work; the text says what, why and how to mend it."""


class CaptureError(VisionError):
    """A camera or a video gives no pictures."""


class DetectorError(VisionError):
    """The detector does not answer in time, or its answer breaks the wire contract."""


class DetectorRefused(DetectorError):
    """The detector refuses the request itself, so that trying again is no use."""


class PublishError(VisionError):
    """The broker cannot be reached when the gateway starts."""


class PreviewError(VisionError):
    """The port of the preview cannot be listened on."""


class CalibrationRefused(VisionError):
    """Points of which no calibration follows, or a camera that a walk test cannot certify."""
