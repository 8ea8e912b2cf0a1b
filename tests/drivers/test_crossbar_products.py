"""The crossbar's ideal physics against independent computations: products, patches, pools, reach, shared products."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import correlate

from drivers.twin.crossbar import CrossbarTwin
from drivers.twin.crossbar.dense import DenseProduct

FloatArray = NDArray[np.float64]
IMAGES = {"kind": "conv", "channels": 3, "kernel": 3, "activation": "none"}


def twin(**options: Any) -> CrossbarTwin:
    return CrossbarTwin.open(CrossbarTwin.Config(**{"preset": "ideal", "activation": "none", **options}))


def some(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape)


def setting(device: CrossbarTwin, layer: int = 0, seed: int = 1) -> FloatArray:
    described = device.description.layers[layer]
    return some(described.n_parameters, seed=seed) * described.per_parameter("upper")


def read(device: CrossbarTwin, patterns: FloatArray, layer: int = 0) -> FloatArray:
    return device.read_outputs(layer, np.arange(len(patterns)))


def by_correlation(images: FloatArray, kernels: FloatArray, bias: FloatArray, layer: dict[str, Any]) -> FloatArray:
    """Correlate each image with each kernel, keep every stride-th output, and the largest of each square, in loops."""
    padding, stride, pool = (layer.get(key, least) for key, least in (("padding", 0), ("stride", 1), ("pool", 1)))
    maps: list[list[FloatArray]] = []
    for image in images:
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
        found = [correlate(padded, kernel, mode="valid")[0][::stride, ::stride] for kernel in kernels]
        pooled = []
        for each, offset in zip(found, bias, strict=True):
            down, across = each.shape[0] // pool, each.shape[1] // pool
            largest = np.empty((down, across))
            for i in range(down):
                for j in range(across):
                    largest[i, j] = max(each[i * pool + a, j * pool + b] for a in range(pool) for b in range(pool))
            pooled.append(largest + offset)
        maps.append(pooled)
    return np.array(maps)


def test_a_dense_array_adds_up_conductance_times_drive_and_its_bias():
    device = twin(sizes=[5, 4])
    patterns, values = some(6, 5), setting(device)
    device.load_inputs(0, patterns)
    device.write_parameters(0, values)
    expected = [[sum(x[i] * values[4 * i + j] for i in range(5)) + values[20 + j] for j in range(4)] for x in patterns]
    np.testing.assert_allclose(read(device, patterns), expected, rtol=1e-12)


def test_without_a_bias_there_is_no_row_for_it():
    device = twin(inputs=5, layers=[{"kind": "dense", "outputs": 4, "bias": False}])
    assert [group.shape for group in device.description.layers[0].groups] == [(5, 4)]
    patterns, values = some(6, 5), setting(device)
    device.load_inputs(0, patterns)
    device.write_parameters(0, values)
    np.testing.assert_allclose(read(device, patterns), patterns @ values.reshape(5, 4), rtol=1e-12)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("none", lambda z: z), ("relu", lambda z: np.where(z > 0, z, 0)), ("tanh", lambda z: 1 - 2 / (np.exp(2 * z) + 1))],
)
def test_activations_stand_behind_the_columns(activation: str, expected: Any):
    device = twin(sizes=[5, 4], activation=activation)
    patterns, values = some(6, 5), setting(device)
    device.load_inputs(0, patterns)
    device.write_parameters(0, values)
    added = patterns @ values[:20].reshape(5, 4) + values[20:]
    np.testing.assert_allclose(read(device, patterns), expected(added), atol=1e-12)
    assert device.description.layers[0].one_sign == (activation == "relu")


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
@given(
    image=st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(2, 9)),
    layer=st.fixed_dictionaries(
        {
            "channels": st.integers(1, 6),
            "kernel": st.integers(1, 5),
            "stride": st.integers(1, 3),
            "padding": st.integers(0, 2),
            "pool": st.integers(1, 3),
            "activation": st.sampled_from(["none", "relu", "tanh"]),
        }
    ),
    count=st.sampled_from([1, 3, 70]),
)
def test_a_convolution_is_the_correlation_of_scipy(
    kernel: str, image: tuple[int, ...], layer: dict[str, Any], count: int
):
    padded = min(image[1:]) + 2 * layer["padding"]
    assume(layer["padding"] < layer["kernel"] <= padded)
    assume((padded - layer["kernel"]) // layer["stride"] + 1 >= layer["pool"])
    device = twin(inputs=list(image), layers=[{"kind": "conv", **layer}], kernel=kernel)
    patterns, values = some(count, int(np.prod(image))), setting(device)
    device.load_inputs(0, patterns)
    device.write_parameters(0, values)
    channels = layer["channels"]
    kernels = values[:-channels].reshape(channels, image[0], layer["kernel"], layer["kernel"])
    expected = by_correlation(patterns.reshape(count, *image), kernels, values[-channels:], layer)
    after = {"none": expected, "relu": expected.clip(0.0), "tanh": np.tanh(expected)}[layer["activation"]]
    assert device.description.layers[0].output_shape == after.shape[1:]
    np.testing.assert_allclose(read(device, patterns), after.reshape(count, -1), atol=1e-12)


def test_without_numba_convolutions_are_computed_in_portions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("drivers.twin.crossbar.convolution.PATCHES_AT_ONCE", 40)
    readings = []
    for kernel in ("numpy", "numba"):
        device = twin(inputs=[2, 6, 6], layers=[IMAGES], kernel=kernel)
        assert device.description.implementation.startswith(kernel)
        device.load_inputs(0, some(11, 72))
        device.write_parameters(0, setting(device))
        readings.append(device.read_outputs(0, np.arange(11)))
    np.testing.assert_allclose(*readings, atol=1e-13)


def test_a_cascade_is_one_layer_behind_the_other_and_reinjected_layers_stand_alone():
    layers = [{**IMAGES, "pool": 2, "activation": "relu"}, {"kind": "dense", "outputs": 4, "activation": "tanh"}]
    images, patterns = some(6, 1, 8, 8), some(6, 27, seed=3)
    for topology in ("cascaded", "reinjected"):
        device = twin(inputs=[1, 8, 8], layers=layers, topology=topology)
        device.load_inputs(0, images.reshape(6, -1))
        if topology == "reinjected":
            device.load_inputs(1, patterns)
        values = [setting(device, layer, seed=layer) for layer in range(2)]
        for layer in range(2):
            device.write_parameters(layer, values[layer])
        between = by_correlation(images, values[0][:27].reshape(3, 1, 3, 3), values[0][27:], layers[0]).clip(0.0)
        np.testing.assert_allclose(read(device, images), between.reshape(6, -1), atol=1e-12)
        entering = between.reshape(6, -1) if topology == "cascaded" else patterns
        expected = np.tanh(entering @ values[1][:108].reshape(27, 4) + values[1][108:])
        np.testing.assert_allclose(read(device, patterns, 1), expected, atol=1e-12)


def test_signals_kept_in_front_of_a_layer_follow_every_change_before_it():
    def fresh(first: FloatArray, second: FloatArray, patterns: FloatArray) -> FloatArray:
        device = twin(sizes=[5, 4, 3], topology="cascaded", activation="tanh")
        device.load_inputs(0, patterns)
        device.write_parameters(0, first)
        device.write_parameters(1, second)
        return read(device, patterns, 1)

    device = twin(sizes=[5, 4, 3], topology="cascaded", activation="tanh")
    patterns, others = some(6, 5), some(9, 5, seed=4)
    one, two, behind = setting(device), setting(device, seed=2), setting(device, 1)
    device.load_inputs(0, patterns)
    device.write_parameters(0, one)
    device.write_parameters(1, behind)
    np.testing.assert_array_equal(read(device, patterns, 1), fresh(one, behind, patterns))
    device.probe(0, np.stack([one, two]), np.arange(6))
    np.testing.assert_array_equal(read(device, patterns, 1), fresh(two, behind, patterns))
    device.load_inputs(0, others)
    np.testing.assert_array_equal(read(device, others, 1), fresh(two, behind, others))
    device.park()
    np.testing.assert_array_equal(read(device, others, 1), np.zeros((9, 3)))


@pytest.mark.parametrize(
    "options",
    [
        {"sizes": [4, 3]},
        {"inputs": [2, 5, 4], "layers": [{**IMAGES, "pool": 2, "padding": 1}]},
        {"inputs": [1, 4, 4], "layers": [{**IMAGES, "bias": False}, {"kind": "dense", "outputs": 2}]},
    ],
)
def test_a_crosspoint_moves_the_outputs_of_its_reach_and_no_others(options: dict[str, Any]):
    device = twin(**options)
    for layer, described in enumerate(device.description.layers):
        rows = np.arange(5)
        device.load_inputs(layer, some(5, described.n_inputs))
        values, reach = 0.5 * setting(device, layer), described.reach
        assert reach is not None
        moved = values + 0.1 * np.diag(described.per_parameter("upper"))
        device.write_parameters(layer, values)
        before = device.read_outputs(layer, rows)
        change = np.abs(device.probe(layer, moved, rows) - before).max(axis=1)
        for parameter in range(described.n_parameters):
            inside = slice(reach.first[parameter], reach.stop[parameter])
            assert (change[parameter, inside] > 0.0).any()
            assert not np.delete(change[parameter], np.arange(inside.start, inside.stop)).any()


def test_groups_have_the_shapes_of_their_weights_and_start_within_the_inverse_root_of_the_inputs():
    device = twin(
        inputs=[2, 9, 8], layers=[{**IMAGES, "channels": 4}, {"kind": "dense", "outputs": 7}], weight_range=3.0
    )
    conv, dense = device.description.layers
    assert conv.input_shape == (2, 9, 8)
    assert conv.output_shape == (4, 7, 6)
    assert [(group.name, group.shape) for group in conv.groups] == [("kernels", (4, 2, 3, 3)), ("bias", (4,))]
    assert [(group.name, group.shape) for group in dense.groups] == [("weights", (168, 7)), ("bias", (7,))]
    for layer, inputs in ((conv, 18), (dense, 168)):
        for group in layer.groups:
            assert group.upper == -group.lower == pytest.approx(3.0 / inputs**0.5)
            assert group.start == pytest.approx((-(inputs**-0.5), inputs**-0.5))


class Products:
    """Counts matrix products while they happen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        add_up = DenseProduct.columns

        def counted(product: DenseProduct, *arguments: Any) -> Any:
            self.count += 1
            return add_up(product, *arguments)

        monkeypatch.setattr(DenseProduct, "columns", counted)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> Products:
    return Products(monkeypatch)


@pytest.mark.parametrize(
    ("signs", "directions", "expected"),
    [([1, -1, -1, 1], 1, 2), ([1, -1], 5, 6), ([1, -1, -1, 1], 3, 4), ([1, -1], 1, 2)],
)
def test_readings_around_one_centre_share_its_product(
    products: Products, signs: list[int], directions: int, expected: int
):
    device = twin(sizes=[30, 20])
    device.load_inputs(0, some(8, 30))
    centre = 0.5 * setting(device)
    moves = 0.01 * np.random.default_rng(0).choice([-1.0, 1.0], (directions, 1, len(centre))) * centre.max()
    settings = (centre + moves * np.array(signs)[:, np.newaxis]).reshape(-1, len(centre))
    probed = device.probe(0, settings, np.arange(8))
    assert products.count == expected
    looped = []
    for values in settings:
        device.write_parameters(0, values)
        looped.append(device.read_outputs(0, np.arange(8)))
    np.testing.assert_allclose(probed, looped, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(device.read_parameters(0), settings[-1])


def test_settings_that_are_not_around_one_centre_are_computed_one_by_one(products: Products):
    device = twin(sizes=[30, 20])
    device.load_inputs(0, some(8, 30))
    settings = np.stack([setting(device, seed=seed) for seed in range(4)])
    settings[3] = settings[0] + settings[1] - settings[2]
    settings[3, 0] += 1e-12
    device.probe(0, settings, np.arange(8))
    assert products.count == 4


def test_imperfect_cells_share_nothing_because_every_write_errs_on_its_own(products: Products):
    device = twin(sizes=[30, 20], cells={"programming_error": 0.01})
    device.load_inputs(0, some(8, 30))
    centre, move = 0.5 * setting(device), 0.01
    probed = device.probe(0, np.stack([centre + move, centre - move] * 2), np.arange(8))
    assert products.count == 4
    assert np.abs(probed[0] - probed[2]).max() > 1e-3
