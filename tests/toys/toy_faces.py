"""A face detector and a face embedder small enough to build in a test, as ONNX files that real code loads.

A "face" is a magenta patch of 64 pixels: the detector has YuNet's outputs and fires on magenta; the embedder gives
the mean colour of an aligned face beside its magenta frame, so two faces are alike when their inner colours are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 64


def face(colour: tuple[int, int, int], background: int = 90, where: tuple[int, int] = (208, 112)) -> NDArray[np.uint8]:
    """A frame of 640x360 with one face: a magenta patch with a disc of a colour in it.

    `where` is half a cell of 32 off the detector's grid, so that exactly one cell is magenta all over.
    """
    import cv2

    frame = np.full((360, 640, 3), background, np.uint8)
    x, y = where
    frame[y : y + SIZE, x : x + SIZE] = (255, 0, 255)
    cv2.circle(frame, (x + SIZE // 2, y + SIZE // 2), 9, colour, -1)
    return frame


def write_detector(path: Path) -> Path:
    """YuNet's twelve outputs; only stride 32 ever fires, where a cell is nearly all magenta."""
    nodes, weights, outputs = [], [], []

    def constant(name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        weights.append(numpy_helper.from_array(value, name))
        return name

    def branch(name: str, stride: int, kernel: NDArray[np.float32], bias: list[float], sigmoid: bool) -> None:
        channels = len(bias)
        pooled = f"{name}_pool"
        nodes.append(
            helper.make_node("AveragePool", ["input"], [pooled], kernel_shape=[stride] * 2, strides=[stride] * 2)
        )
        made = [constant(f"{name}_w", kernel), constant(f"{name}_b", np.array(bias, np.float32))]
        nodes.append(helper.make_node("Conv", [pooled, *made], [f"{name}_c"], kernel_shape=[1, 1]))
        last = f"{name}_c"
        if sigmoid:
            nodes.append(helper.make_node("Sigmoid", [last], [f"{name}_s"]))
            last = f"{name}_s"
        nodes.append(helper.make_node("Transpose", [last], [f"{name}_t"], perm=[0, 2, 3, 1]))
        shape = constant(f"{name}_shape", np.array([1, -1, channels], np.int64))
        nodes.append(helper.make_node("Reshape", [f"{name}_t", shape], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, channels]))

    magenta = np.array([[[[0.06]], [[-0.12]], [[0.06]]]], np.float32)  # of blue, green, red in [0, 255]
    for kind in ("cls", "obj", "bbox", "kps"):
        for stride in (8, 16, 32):
            if kind in ("cls", "obj"):
                fires = stride == 32
                branch(f"{kind}_{stride}", stride, magenta if fires else magenta * 0, [-16.0 if fires else -20.0], True)
            elif kind == "bbox":
                # The box is two cells wide around the middle of the cell that fired.
                branch(
                    f"bbox_{stride}",
                    stride,
                    np.zeros((4, 3, 1, 1), np.float32),
                    [0.5, 0.5, *[float(np.log(2))] * 2],
                    False,
                )
            else:
                places = [0.1, 0.1, 0.9, 0.1, 0.5, 0.5, 0.2, 0.9, 0.8, 0.9]
                branch(f"kps_{stride}", stride, np.zeros((10, 3, 1, 1), np.float32), places, False)
    shown = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])
    graph = helper.make_graph(nodes, "toy-yunet", [shown], outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), str(path))
    return path


def write_embedder(path: Path, side: int = 112, seed: int = 0) -> Path:
    """The mean colour of the middle of the face, minus grey: three numbers, turned by a rotation of its own."""
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0].astype(np.float32)
    first, last = (side * np.array([[0.59, 0.45], [0.69, 0.55]])).astype(np.int64)  # rows, columns: by the nose
    weights = [
        numpy_helper.from_array(first, "starts"),
        numpy_helper.from_array(last, "ends"),
        numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
        numpy_helper.from_array(np.array([[127.5], [127.5], [127.5]], np.float32).reshape(1, 3), "grey"),
        numpy_helper.from_array(turn, "turn"),
        numpy_helper.from_array(np.array([1, 3], np.int64), "flat"),
    ]
    nodes = [
        helper.make_node("Slice", ["face", "starts", "ends", "axes"], ["inner"]),
        helper.make_node("GlobalAveragePool", ["inner"], ["mean"]),
        helper.make_node("Reshape", ["mean", "flat"], ["colour"]),
        helper.make_node("Sub", ["colour", "grey"], ["centred"]),
        helper.make_node("MatMul", ["centred", "turn"], ["vector"]),
    ]
    shown = helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, side, side])
    made = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "toy-embedder", [shown], [made], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path
