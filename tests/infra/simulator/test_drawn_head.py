"""The drawn head is the measured head, projected by the camera's own model: no gain, no bend."""

import math
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from infra.simulator import head
from infra.simulator.atlas import ATLAS_PX, box_px
from infra.simulator.bust import TEXELS_PER_M, bust
from infra.simulator.clothes import WARDROBE, head_atlas
from infra.simulator.figure import body_yaw, eyes_forward_m, figure, head_pose
from infra.simulator.people import Person, facing
from infra.simulator.pixels import Image
from infra.simulator.portrait import photo_px, texels
from infra.simulator.raster import Atlas, Layer, draw
from streams.contracts.layout import CameraPose
from vision.core.geometry import CameraModel, camera_model

SIZE = (960, 720)
CAMERA = camera_model(
    CameraPose(position_m=(0.0, 0.0, 1.6), pitch_deg=-4.0, horizontal_fov_deg=80.0), *SIZE
)
FISHEYE = camera_model(
    CameraPose(
        position_m=(0.0, 0.0, 1.8), pitch_deg=-10.0, horizontal_fov_deg=150.0, lens="fisheye"
    ),
    *SIZE,
)


def person(yaw: float = 0.0, pitch: float = 0.0, **changed: object) -> Person:
    return replace(Person("p", 0.0, 1.2, 1.7, yaw, pitch, None, 0), **changed)  # type: ignore[arg-type]


def marked(marks: npt.NDArray[np.bool_]) -> Atlas:
    """A head's atlas that is red where `marks` says on the face, and grey on all the rest."""
    page: Image = np.full((ATLAS_PX[1], ATLAS_PX[0], 3), 90, np.uint8)
    x0, y0, x1, y1 = box_px("face")
    page[y0:y1, x0:x1][marks] = (0, 0, 255)
    return Atlas.of(page)


def red(layer: Layer) -> npt.NDArray[np.bool_]:
    bgr = layer.bgr.astype(int)
    return np.asarray(bgr[..., 2] > 2 * bgr[..., 1] + 30)


def drawn(camera: CameraModel, who: Person, marks: npt.NDArray[np.bool_]) -> Layer:
    layer = draw(camera, figure(who).head, marked(marks), TEXELS_PER_M)
    assert layer is not None
    return layer


def near(landmark: str, mm: float = 3.5) -> npt.NDArray[np.bool_]:
    angle, y = texels()
    points = head.surface_m(angle, y, hair=False) * 1000.0
    return np.asarray(np.linalg.norm(points - head.LANDMARKS_MM[landmark], axis=-1) < mm)


def truth_px(camera: CameraModel, who: Person, landmark: str) -> tuple[float, float]:
    """By hand: the head's axes in the world, the landmark along them, the camera's projection."""
    across, down, ahead = (v / 1000.0 for v in head.LANDMARKS_MM[landmark])
    out = np.array(facing(who.head_yaw_deg, who.head_pitch_deg))
    yaw, roll = math.radians(who.head_yaw_deg), math.radians(who.head_roll_deg)
    level = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    below = np.cross(level, out)
    right = math.cos(roll) * level + math.sin(roll) * below
    low = np.cross(right, out)
    place = np.array([who.x_m, who.y_m, who.eyes_m])
    place = place + across * right + down * low + ahead * out
    seen = camera.project((float(place[0]), float(place[1]), float(place[2])))
    assert seen is not None
    return seen[0] * camera.width_px, seen[1] * camera.height_px


@pytest.mark.parametrize("landmark", ["pronasale", "glabella", "pogonion"])
@pytest.mark.parametrize("place", [(0.0, 0.9), (-0.8, 1.3), (1.2, 2.2)])
@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (25, -20, 0), (-25, 15, 0), (45, -5, 10), (-35, 0, -15)]
)
def test_a_landmark_is_drawn_where_the_camera_sees_it(
    landmark: str, place: tuple[float, float], yaw: float, pitch: float, roll: float
) -> None:
    # Against the line of sight: an angle that is large for the camera hides the landmark.
    bearing = math.degrees(math.atan2(*place))
    who = person(yaw - bearing, pitch, x_m=place[0], y_m=place[1], head_roll_deg=roll)
    layer = drawn(CAMERA, who, near(landmark))
    rows, columns = np.nonzero(red(layer))
    x, y = columns.mean() + layer.x + 0.5, rows.mean() + layer.y + 0.5
    # The surface's own misfit of 1 mm is 0.5 px at 0.9 m.
    assert (x, y) == pytest.approx(truth_px(CAMERA, who, landmark), abs=1.5)


@pytest.mark.parametrize("x", [-1.5, 0.0, 1.8])
def test_a_fisheye_too(x: float) -> None:
    who = person(-20.0 * x, -5.0, x_m=x, y_m=1.0)
    layer = drawn(FISHEYE, who, near("pronasale", 8.0))
    rows, columns = np.nonzero(red(layer))
    seen = (columns.mean() + layer.x + 0.5, rows.mean() + layer.y + 0.5)
    assert seen == pytest.approx(truth_px(FISHEYE, who, "pronasale"), abs=1.5)


@pytest.mark.parametrize("yaw", [-50, -30, -15, 0, 15, 30, 50])
def test_a_turn_is_drawn_as_large_as_it_is(yaw: int) -> None:
    """The nose's tip leaves the midline of the pupils by what its depth and the turn make."""
    far = camera_model(CameraPose(position_m=(0.0, 0.0, 1.585), horizontal_fov_deg=6.0), *SIZE)
    who = person(yaw, y_m=6.0)
    seen = {}
    for name in ("pronasale", "pogonion"):
        _, columns = np.nonzero(red(drawn(far, who, near(name))))
        seen[name] = columns.mean()
    layer = drawn(far, who, near("pronasale"))
    x = (seen["pronasale"] + layer.x + 0.5 - SIZE[0] / 2) * 6.0 / far.focal_px
    depth = head.LANDMARKS_MM["pronasale"][2] / 1000.0
    drawn_deg = math.degrees(math.asin(max(-1.0, min(1.0, x / depth))))
    assert drawn_deg == pytest.approx(yaw, abs=1.5)


def test_the_mesh_for_far_heads_is_the_same_head() -> None:
    fine, coarse = bust(), bust(fine=False)
    assert len(coarse.triangles) < 0.45 * len(fine.triangles)
    skin = coarse.points[: len(head.rows_mm()[::2]) * len(head.angles_rad()[::2])]
    middle = np.argmax(skin[:, 2])
    assert skin[middle] * 1000.0 == pytest.approx(head.LANDMARKS_MM["pronasale"], abs=2.0)


@pytest.mark.parametrize("name", sorted(head.LANDMARKS_MM))
def test_the_surface_has_the_published_measures(name: str) -> None:
    x, y, z = head.LANDMARKS_MM[name]
    ring = head.surface_m(np.radians(np.linspace(-70, 70, 2801)), y, hair=False) * 1000.0
    point = ring[np.abs(ring[:, 0] - x).argmin()]
    assert point == pytest.approx((x, y, z), abs=2.0)


def test_breadth_and_length_of_the_head() -> None:
    points = bust().points * 1000.0
    bare = head.surface_m(head.angles_rad(), head.rows_mm()[:, None], hair=False) * 1000.0
    assert np.ptp(bare[..., 0]) == pytest.approx(150.0, abs=3.0)  # ANSUR: 144 to 152
    middle = bare[np.abs(bare[..., 0]) < 3.0]
    glabella = middle[np.abs(middle[:, 1] + 17.0) < 2.0][:, 2].max()
    assert glabella - middle[:, 2].min() == pytest.approx(194.0, abs=5.0)  # ANSUR: 187 to 197
    assert -points[:, 1].min() == pytest.approx(115.0, abs=3.0)


def test_normals_look_outwards() -> None:
    mesh = bust()
    skin = slice(0, len(head.rows_mm()) * len(head.angles_rad()))
    outward = mesh.points[skin] - [0.0, 0.0, 0.0]
    assert (np.einsum("ij,ij->i", mesh.normals[skin], outward) > 0).mean() > 0.97


def test_the_photograph_is_laid_on_landmarks() -> None:
    """The tip of the nose and the chin, marked by hand on the photograph."""
    for name, marked_px in (("pronasale", (224.9, 125.1)), ("pogonion", (219.9, 165.9))):
        place = np.array([head.LANDMARKS_MM[name]], np.float32) / 1000.0
        assert photo_px(place)[0] == pytest.approx(marked_px, abs=2.0)


def covered(who: Person, marks: npt.NDArray[np.bool_]) -> float:
    """How much of what shows of the marks without hat and mask these hide."""
    bare = person(who.head_yaw_deg, who.head_pitch_deg)
    seen = red(drawn(CAMERA, bare, marks)).sum()
    assert seen > 30
    return 1.0 - float(red(drawn(CAMERA, who, marks)).sum() / seen)


@pytest.mark.parametrize("yaw", [-40.0, 0.0, 25.0])
def test_a_mask_covers_nose_and_mouth_and_leaves_the_eyes(yaw: float) -> None:
    angle, y = texels()
    ahead = np.abs(np.degrees(angle)) < 30
    masked = person(yaw, mask=True)
    assert covered(masked, ahead & (y > 26) & (y < 95)) > 0.98
    assert covered(masked, ahead & (np.abs(y) < 6)) < 0.1


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (30.0, -15.0), (-20.0, 5.0)])
def test_a_hats_brim_covers_the_forehead_and_leaves_the_mouth(yaw: float, pitch: float) -> None:
    angle, y = texels()
    ahead = np.abs(np.degrees(angle)) < 30
    hatted = person(yaw, pitch, hat=True)
    assert covered(hatted, ahead & (y > -60) & (y < -28)) > 0.95
    assert covered(hatted, ahead & (y > 40) & (y < 95)) < 0.1


def test_eyes_move_to_the_side_they_look_to() -> None:
    x0, y0, x1, y1 = box_px("face")
    angle, y = texels()
    near_eye = (np.abs(95 * np.sin(angle) - 30.3) < 11) & (np.abs(y) < 4)
    columns = np.broadcast_to(np.arange(x1 - x0), y.shape)
    for look in (WARDROBE[0], WARDROBE[1]):
        dark = {}
        for yaw in (-20.0, 0.0, 20.0):
            face = head_atlas(look, yaw, 0.0).levels[0][y0:y1, x0:x1]
            black = near_eye & (np.abs(angle) < 1.0) & (cv2.cvtColor(face, 6) < 70)
            dark[yaw] = columns[black].mean()
        assert dark[-20.0] + 4 < dark[0.0] < dark[20.0] - 4


def test_a_childs_face_is_smaller_and_its_eyes_are_nearer_the_axis() -> None:
    child = person(height_m=1.2, kind="child")
    assert np.ptp(bust(child=True).points[:, 1]) < 0.92 * np.ptp(bust().points[:, 1])
    assert eyes_forward_m(child) < eyes_forward_m(person())


@pytest.mark.parametrize(
    ("who", "chest"),
    [
        (person(0.0), 0.0),
        (person(40.0), 12.0),
        (person(150.0), 80.0),
        (person(0.0, stride=0.2), 70.0),
        (person(75.0, stride=0.2), 90.0),
        (person(-170.0, body_yaw_deg=170.0), 170.0),
    ],
)
def test_a_body_faces_where_its_neck_lets_it(who: Person, chest: float) -> None:
    assert (body_yaw(who) - chest + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=0.5)


def test_the_eyes_are_on_the_line_of_the_gaze() -> None:
    who = person(33.0, -12.0)
    rotation, shift = head_pose(who)
    place = shift + rotation @ [0.0, 0.0, 0.085]
    out = np.array(facing(33.0, -12.0))
    assert place == pytest.approx([0.0, 1.2, 1.585] + 0.085 * out, abs=1e-9)
