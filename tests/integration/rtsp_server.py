"""A real RTSP server for tests, by GStreamer: two cameras, one of which misbehaves on command.

Run by the system's Python, which has GStreamer's bindings. Prints `ready` once it listens on the
port it was given. On its standard input: `size WIDTH HEIGHT` changes the resolution of /moving in
mid-stream, `corrupt SHARE` garbles that share of its bytes.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

FPS = 10

#: A key picture a second, in one slice, as cameras have it.
ENCODER = f"x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 threads=1 key-int-max={FPS}"

MOVING = (
    "( videotestsrc is-live=true pattern=ball ! capsfilter name=size "
    f"caps=video/x-raw,format=I420,width=320,height=240,framerate={FPS}/1 ! {ENCODER} "
    "! breakmydata name=breaker probability=0 ! rtph264pay name=pay0 config-interval=-1 )"
)

#: Every picture is the same, as of a camera that hangs.
STILL = (
    "( videotestsrc is-live=true pattern=smpte75 "
    f"! video/x-raw,format=I420,width=320,height=240,framerate={FPS}/1 ! {ENCODER} "
    "! rtph264pay name=pay0 config-interval=-1 )"
)


class Server:
    """Serves until it is killed."""

    def __init__(self, port: int) -> None:
        self.media = None
        self.server = GstRtspServer.RTSPServer.new()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(port))
        for path, launch in (("/moving", MOVING), ("/still", STILL)):
            factory = GstRtspServer.RTSPMediaFactory.new()
            factory.set_launch(launch)
            factory.set_shared(True)
            if path == "/moving":
                factory.connect("media-configure", self.keep)
            self.server.get_mount_points().add_factory(path, factory)
        if self.server.attach(None) == 0:
            sys.exit(f"port {port} cannot be listened on")

    def keep(
        self, _factory: GstRtspServer.RTSPMediaFactory, media: GstRtspServer.RTSPMedia
    ) -> None:
        self.media = media

    def command(self, line: str) -> bool:
        """In GLib's loop: do what a line of the standard input says."""
        word, *numbers = line.split()
        pipeline = self.media.get_element()
        if word == "size":
            width, height = numbers
            caps = f"video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1"
            pipeline.get_by_name("size").set_property("caps", Gst.Caps.from_string(caps))
        elif word == "corrupt":
            pipeline.get_by_name("breaker").set_property("probability", float(numbers[0]))
        return False


def listen(server: Server) -> None:
    """In a thread of its own."""
    for line in sys.stdin:
        GLib.idle_add(server.command, line)


def main() -> None:
    Gst.init(None)
    server = Server(int(sys.argv[1]))
    threading.Thread(target=listen, args=(server,), daemon=True).start()
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
