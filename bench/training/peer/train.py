"""Trains a network with PyTorch, as many steps as it is told to on each line of standard input.

Run as: train.py NETWORK THREADS eager|compiled

NETWORK is what networks.ts writes, as JSON. For each line with a number of steps it prints one with the seconds that they took, the
processor time, the last loss, and how many elements the parameters have, as JSON.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional


def mlp(sizes):
    layers = []
    for before, after in zip(sizes, sizes[1:]):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet(_):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(784, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


class Residual(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        is_same = before == after
        short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.short = nn.Identity() if is_same else short

    def forward(self, x):
        return functional.relu(self.body(x) + self.short(x))


def resnet18(_):
    """He et al. 2016, with the stem for images of 32×32."""
    blocks = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    before = 64
    for width in (64, 128, 256, 512):
        blocks += [Residual(before, width, 1 if width == 64 else 2), Residual(width, width, 1)]
        before = width
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        rows, places, width = x.shape
        parts = self.mixed(self.before(x)).split(width, 2)
        q, k, v = (part.view(rows, places, self.heads, -1).transpose(1, 2) for part in parts)
        attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.joined(attended.transpose(1, 2).reshape(rows, places, width))
        return x + self.down(functional.gelu(self.up(self.after(x))))


class Gpt(nn.Module):
    def __init__(self, context, width, heads, layers, vocabulary):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.last, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.head(self.last(self.blocks(x)))


kinds = {
    "mlp": mlp,
    "lenet": lenet,
    "resnet18": resnet18,
    "gpt": lambda sizes: Gpt(*sizes),
}


def drawn(shape, classes):
    return torch.randint(classes, shape) if classes else torch.rand(shape)


def main(network, threads, mode):
    network = json.loads(network)
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    model = kinds[network["kind"]](network["sizes"])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    run = torch.compile(model) if mode == "compiled" else model
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    x = drawn([network["batch"], *network["input"]["shape"]], network["input"]["classes"])
    t = drawn([network["batch"], *network["target"]["shape"]], network["target"]["classes"])

    def step():
        optimizer.zero_grad()
        y = run(x)
        is_number = t.is_floating_point()
        loss = functional.mse_loss(y, t) if is_number else functional.cross_entropy(y.flatten(0, -2), t.flatten())
        loss.backward()
        optimizer.step()
        return loss.item()

    for line in sys.stdin:
        start, used = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            loss = step()
        seconds, used = time.perf_counter() - start, time.process_time() - used
        print(json.dumps({"seconds": seconds, "cpuSeconds": used, "loss": loss, "parameters": parameters}), flush=True)


main(*sys.argv[1:])
