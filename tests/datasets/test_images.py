"""Views of images: pooling by exact overlap, the crop, the spectrum that others feed, and the stretch to 0-1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffzero_lab.datasets.images import View, cropped, pooled, spectrum, stretched
from ffzero_lab.errors import InputError

WHOLE = (28, 28)


def drawn(n: int = 5, height: int = 28, width: int = 28) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.0, 255.0, (n, height, width))


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_pooling_weighs_each_pixel_by_its_overlap_with_the_cell(height: int, width: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    images = drawn(2, height, width)
    # On a grid so fine that no pixel lies on an edge, the average over a cell is a plain mean.
    fine = images.repeat(rows, axis=1).repeat(columns, axis=2)
    expected = fine.reshape(2, rows, height, columns, width).mean(axis=(2, 4))
    np.testing.assert_allclose(pooled(images, (rows, columns)), expected, rtol=1e-12)


def test_pooling_28_to_8_splits_the_fourth_pixel_between_two_cells() -> None:
    image = np.zeros((1, 28, 28))
    image[0, 0, 3] = 1.0  # cells are 3.5 pixels wide
    small = pooled(image, (8, 8))
    np.testing.assert_allclose(small[0, 0, :3], [0.5 / 3.5**2, 0.5 / 3.5**2, 0.0])


def test_pooling_keeps_the_mean_and_a_size_of_its_own() -> None:
    images = drawn()
    np.testing.assert_allclose(pooled(images, (8, 8)).mean(axis=(1, 2)), images.mean(axis=(1, 2)))
    np.testing.assert_allclose(pooled(images, WHOLE), images)


def test_the_crop_is_the_centre() -> None:
    images = drawn()
    np.testing.assert_array_equal(cropped(images, (8, 8)), images[:, 10:18, 10:18])
    np.testing.assert_array_equal(cropped(images, (2, 28)), images[:, 13:15])


def fourier_sum(image: np.ndarray, frequencies: range) -> np.ndarray:
    """The definition, term by term."""
    place = np.arange(28)
    return np.array(
        [
            [(image * np.exp(-2j * np.pi * (u * place[:, None] + v * place[None, :]) / 28)).sum() for v in frequencies]
            for u in frequencies
        ]
    )


def test_the_spectrum_holds_the_frequencies_minus_4_to_3_and_its_largest_magnitude_is_1() -> None:
    images = drawn()
    for image, window in zip(images, spectrum(images, (8, 8)), strict=True):
        expected = fourier_sum(image, range(-4, 4))
        np.testing.assert_allclose(window, expected / np.abs(expected).max(), atol=1e-12)


def test_an_odd_window_is_centred_on_frequency_zero_and_a_black_image_gives_zeros() -> None:
    window = spectrum(drawn(), (3, 3))
    np.testing.assert_allclose(window[:, 1, 1], 1.0)  # the mean of a positive image dominates, with phase 0
    np.testing.assert_allclose(window[:, 0, 0], window[:, 2, 2].conj())
    assert not spectrum(np.zeros((1, 28, 28)), (8, 8)).any()


def test_the_spectrum_of_real_images_has_79_independent_numbers_in_its_128() -> None:
    # 49 frequencies from -3 to 3 are conjugate in pairs (49 numbers), 15 have a -4 and their partner outside (30).
    features = View("fourier", (8, 8)).features(drawn(200).astype(np.uint8))
    assert features.shape == (200, 128)
    whole = fourier_sum(drawn(1)[0].astype(np.uint8), range(-4, 4)).ravel()
    packed = np.concatenate([whole.real, whole.imag]) / np.abs(whole).max()
    np.testing.assert_allclose(features[0], packed, atol=1e-12)
    assert np.linalg.matrix_rank(features, tol=1e-9) == 79


def test_magnitudes_are_those_of_the_spectrum() -> None:
    images = drawn().astype(np.uint8)
    parts = View("fourier", (8, 8)).features(images)
    magnitudes = View("magnitude", (8, 8)).features(images)
    np.testing.assert_allclose(magnitudes, np.hypot(parts[:, :64], parts[:, 64:]))
    assert magnitudes.max() <= 1.0


def test_each_image_is_stretched_from_its_own_minimum_to_its_own_maximum() -> None:
    images = np.array([[[2.0, 4.0], [3.0, 2.0]], [[0.0, 100.0], [50.0, 25.0]], [[7.0, 7.0], [7.0, 7.0]]])
    expected = [[[0.0, 1.0], [0.5, 0.0]], [[0.0, 1.0], [0.5, 0.25]], [[1.0, 1.0], [1.0, 1.0]]]
    np.testing.assert_array_equal(stretched(images), expected)


def test_a_black_crop_becomes_uniform_light_instead_of_darkness() -> None:
    image = np.full((1, 28, 28), 255, dtype=np.uint8)
    image[:, 10:18, 10:18] = 0
    np.testing.assert_array_equal(View("crop", (8, 8)).features(image), 1.0)


@pytest.mark.parametrize("kind", ["", "crop", "fourier", "magnitude"])
def test_an_image_gives_the_same_features_in_any_company(kind: str) -> None:
    images = drawn(5000).astype(np.uint8)  # more than are worked on at once
    view = View(kind, (8, 8))
    together = view.features(images)
    for row in (0, 2047, 2048, 4999):
        np.testing.assert_allclose(together[row], view.features(images[row : row + 1])[0], atol=1e-14)


def test_many_features_are_in_single_precision_and_few_in_double() -> None:
    images = drawn(3).astype(np.uint8)
    whole = View("", WHOLE).features(images)
    assert whole.dtype == np.float32
    assert View("", (8, 8)).features(images).dtype == np.float64
    expected = images.reshape(3, -1).astype(np.float64)
    low, high = expected.min(axis=1, keepdims=True), expected.max(axis=1, keepdims=True)
    np.testing.assert_allclose(whole, (expected - low) / (high - low), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [
        ("", "", WHOLE),
        ("8x8", "", (8, 8)),
        ("4x6", "", (4, 6)),
        ("28x28", "", WHOLE),
        ("crop8x8", "crop", (8, 8)),
        ("fourier6x6", "fourier", (6, 6)),
        ("magnitude8x8", "magnitude", (8, 8)),
    ],
)
def test_a_view_is_named_by_kind_and_size(name: str, kind: str, size: tuple[int, int]) -> None:
    assert View.named(name, WHOLE, "mnist") == View(kind, size)


@pytest.mark.parametrize(
    "name", ["8", "8x", "0x8", "29x8", "8x100", "crop", "8x8crop", "corp8x8", " 8x8", "8x8\n", "８x8"]
)
def test_another_name_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(InputError, match=r"dataset 'mnist:it': .* is no view of its images; allowed: 8x8, crop8x8, f"):
        View.named(name, WHOLE, "mnist:it")
