"""Random torch modules of all operators that `convert_ann` reads, by name, with input shapes."""

from __future__ import annotations


def modules():
    import torch
    from torch import nn

    from neurodeploy.training.binary import BinaryActivation

    F = nn.functional

    class Function(nn.Module):
        def __init__(self, forward, **parts):
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)
            self.does = forward

        def forward(self, x):
            return self.does(self, x)

    def residual(m, x):
        x = torch.relu(m.bn(m.first(x)))
        deep = m.c3(F.relu(m.c2(F.relu(m.c1(x)))))
        return m.head(torch.flatten(F.relu(deep + m.short(x)) - 0.5 * m.mix(x), 1))

    def joined(m, x):
        a, b = F.relu(m.a(x)), F.relu6(m.b(x))
        both = torch.cat([a, b, x], 1)
        grouped = F.relu(m.grouped(both) * 0.5 + 0.1)
        plain = F.relu(m.plain(both))
        return m.head((grouped - plain).mean((2, 3)))

    def maps(m, x):
        x = F.max_pool2d((m.c1(x) > 0.1).to(x.dtype), 2)
        x = m.pm(m.c2(x))  # maps of -1 and 1, padded with 0
        x = m.pool(m.bn(m.pm2(m.c3(x))))
        return m.head(torch.sign(m.c4(x)).view(x.size(0), -1))

    conv = nn.Conv2d
    return {
        "dense": (
            nn.Sequential(
                nn.Linear(20, 30), nn.BatchNorm1d(30), nn.ReLU(), nn.Dropout(), nn.Linear(30, 25),
                nn.PReLU(25), nn.Identity(), nn.Linear(25, 7), nn.Hardtanh(), nn.Linear(7, 5),
                nn.Softmax(1),
            ),
            (20,),
        ),
        "length": (
            nn.Sequential(
                nn.Conv1d(3, 8, 4, padding="same", dilation=2), nn.LeakyReLU(0.2), nn.AvgPool1d(2),
                nn.Conv1d(8, 8, 3, stride=2, groups=4), nn.BatchNorm1d(8), nn.ReLU6(),
                nn.ConvTranspose1d(8, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool1d(5),
                nn.Flatten(), nn.Linear(20, 4),
            ),
            (3, 32),
        ),
        "image": (
            nn.Sequential(
                conv(2, 8, (4, 3), padding="same"), nn.BatchNorm2d(8), nn.ReLU(),
                conv(8, 8, 3, padding=2, dilation=2, groups=2), nn.Hardsigmoid(),
                nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1, groups=2), nn.LeakyReLU(),
                nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), nn.ReLU(),
                conv(6, 6, 3, 2, groups=6), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(),
                nn.Linear(36, 5),
            ),
            (2, 9, 11),
        ),
        "transposed": (
            nn.Sequential(
                conv(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True), nn.ReLU(),
                nn.ConvTranspose2d(4, 3, (3, 2), (2, 1), dilation=(1, 2)), nn.BatchNorm2d(3),
                nn.ReLU(), conv(3, 2, 1),
            ),
            (1, 9, 9),
        ),
        "residual": (
            Function(
                residual, first=conv(2, 6, 3, padding=1), bn=nn.BatchNorm2d(6),
                c1=conv(6, 6, 3, padding=1), c2=conv(6, 6, 3, padding=1),
                c3=conv(6, 6, 3, padding=1), short=conv(6, 6, 1), mix=nn.Identity(),
                head=nn.Linear(6 * 49, 4),
            ),
            (2, 7, 7),
        ),
        "joined": (
            Function(
                joined, a=conv(3, 4, 3, padding=1), b=conv(3, 2, 3, padding=1),
                grouped=conv(9, 6, 3, groups=3), plain=conv(9, 6, 3), head=nn.Linear(6, 3),
            ),
            (3, 6, 6),
        ),
        "maps": (
            Function(
                maps, c1=conv(1, 6, 3, padding=1), c2=conv(6, 6, 3, padding=1),
                pm=BinaryActivation(-1, 1), c3=conv(6, 4, 3, padding=1),
                pm2=BinaryActivation(-1, 1, inclusive=True), bn=nn.BatchNorm2d(4),
                pool=nn.MaxPool2d(3, 2, padding=1, ceil_mode=True), c4=conv(4, 4, 2),
                head=nn.Linear(4 * 9, 3),
            ),
            (1, 14, 14),
        ),
        "ends-in-relu": (nn.Sequential(nn.Linear(6, 5), nn.ReLU()), (6,)),
    }  # fmt: skip


def ready(name):
    """A module in evaluation with random weights and norms, and inputs of its own scale."""
    import torch

    torch.manual_seed(3)
    module, shape = modules()[name]
    for part in module.modules():
        if hasattr(part, "running_mean"):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.3, 1.5)
            torch.nn.init.normal_(part.weight, 1, 0.4)
            part.weight.data.abs_()
            torch.nn.init.normal_(part.bias, 0, 0.2)
    inputs = torch.rand(40, *shape)
    return module.eval(), inputs


NAMES = (
    "dense", "length", "image", "transposed", "residual", "joined", "maps", "ends-in-relu",
)  # fmt: skip
