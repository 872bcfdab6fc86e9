"""The networks of gpu.py in PyTorch, with torch.compile and channels-last."""

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

import torch
from torch import nn


class Basic(nn.Module):
    """x + f(x), two 3x3 convolutions; `before`: normalization and ReLU stand before each (Wide ResNet)."""

    def __init__(self, inside: int, filters: int, stride: int, before: bool):
        super().__init__()
        self.before = before
        self.conv1 = nn.Conv2d(inside, filters, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(inside if before else filters)
        self.norm2 = nn.BatchNorm2d(filters)
        same = inside == filters and stride == 1
        # ResNet20's shortcut (option A) strides and pads with zeros; Wide ResNet's is a 1x1 convolution.
        self.project = nn.Conv2d(inside, filters, 1, stride, bias=False) if before and not same else None
        self.stride, self.extra = stride, filters - inside

    def forward(self, x):
        if self.before:
            start = torch.relu(self.norm1(x))
            out = self.conv2(torch.relu(self.norm2(self.conv1(start))))
            return out + (self.project(start) if self.project else x)
        out = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        short = x[:, :, :: self.stride, :: self.stride]
        return torch.relu(out + nn.functional.pad(short, (0, 0, 0, 0, 0, self.extra)))


def small(blocks: int, width: int, before: bool) -> nn.Module:
    """ResNet20 is small(3, 1, False), WRN16_8 small(2, 8, True)."""
    parts, inside = [nn.Conv2d(3, 16, 3, padding=1, bias=False)], 16
    if not before:
        parts += [nn.BatchNorm2d(16), nn.ReLU()]
    for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range(blocks):
            parts.append(Basic(inside, filters, 2 if stage and not block else 1, before))
            inside = filters
    if before:
        parts += [nn.BatchNorm2d(inside), nn.ReLU()]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 10))


def about() -> str:
    """Versions, and how it is run."""
    versions = [
        f"torch {torch.__version__}",
        f"CUDA {torch.version.cuda}",
        f"cuDNN {torch.backends.cudnn.version()}",
    ]
    if find_spec("timm"):
        versions.append(f"timm {version('timm')}")
    return (
        ", ".join(versions)
        + "; torch.compile in its default mode, cuDNN tuned, channels-last, bfloat16 by autocast"
    )


def torch_sides(
    part: str, side: int, batch: int, steps: int, parameters: int, place: str
) -> dict[str, Callable]:
    """Functions of `steps` steps each; images and labels stay on the device, compute is bfloat16 by autocast.

    Args:
        place: "cuda" or "cpu".

    Raises:
        RuntimeError: the place is a GPU, and PyTorch sees none.
        ValueError: the network has another number of parameters than ours.
    """
    if place == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"PyTorch sees no GPU (torch {torch.__version__}).")
    torch._dynamo.reset()  # another network follows in the same process
    torch.backends.cudnn.benchmark = True  # it tries the algorithms for these sizes, as XLA does
    if part == "resnet50":
        import timm

        model = timm.create_model("resnet50")
    else:
        model = small(3, 1, False) if part == "resnet20" else small(2, 8, True)
    count = sum(weight.numel() for weight in model.parameters())
    if count != parameters:
        raise ValueError(f"PyTorch's {part} has {count} parameters, ours {parameters}: not the same network.")
    model = model.to(place, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, fused=True)
    images = torch.rand(batch, 3, side, side).to(place, memory_format=torch.channels_last)
    labels = torch.arange(batch, device=place) % 10
    run = torch.compile(model, dynamic=False)

    def wait():
        if place == "cuda":
            torch.cuda.synchronize()

    def train():
        model.train()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(place, torch.bfloat16):
                loss = nn.functional.cross_entropy(run(images), labels)
            loss.backward()
            optimizer.step()
        wait()

    def predict():
        model.eval()
        with torch.inference_mode(), torch.autocast(place, torch.bfloat16):
            for _ in range(steps):
                run(images)
        wait()

    return {"training": train, "inference": predict}
