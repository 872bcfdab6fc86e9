"""Parameters and MACs of residual networks from their papers' tables, by arithmetic: no network is built."""


class Sheet:
    """Sums over layers: parameters in all, trainable ones, and MACs. Convolutions have no bias."""

    def __init__(self):
        self.params = self.trainable = self.macs = 0

    def conv(self, size, kernel, before, after, groups=1):
        weights = kernel * kernel * before * after // groups
        self.params += weights
        self.trainable += weights
        self.macs += size * size * weights

    def norm(self, maps):
        self.params += 4 * maps  # gamma and beta, moving mean and variance
        self.trainable += 2 * maps

    def dense(self, before, after):
        self.params += (before + 1) * after
        self.trainable += (before + 1) * after
        self.macs += before * after

    @property
    def counts(self):
        return self.params, self.trainable, self.macs


def resnet(depths, block, *, shortcut="B", stride_on="1x1", widen=1, groups=1, se=0):
    """ResNet, table 1 (224x224, 1000 classes); `se` is the reduction r of SENet's equation 3."""
    sheet = Sheet()
    sheet.conv(112, 7, 3, 64)
    sheet.norm(64)
    before, size = 64, 56
    for i, depth in enumerate(depths):
        width = 64 * 2**i
        after = width if block == "basic" else 4 * width
        for j in range(depth):
            larger = size
            if i and j == 0:
                size //= 2
            if block == "basic":
                convs = [(size, 3, before, width, 1), (size, 3, width, width, 1)]
            else:
                inner = widen * width
                first = size if stride_on == "1x1" else larger
                convs = [
                    (first, 1, before, inner, 1),
                    (size, 3, inner, inner, groups),
                    (size, 1, inner, after, 1),
                ]
            if before != after and shortcut == "B":
                convs.append((size, 1, before, after, 1))
            for conv in convs:
                sheet.conv(*conv)
                sheet.norm(conv[3])
            if se:
                sheet.dense(after, after // se)
                sheet.dense(after // se, after)
            before = after
    sheet.dense(before, 1000)
    return sheet.counts


def cifar_resnet(n):
    """ResNet, section 4.2: 32x32, n blocks in each of 3 stages, shortcuts without weights."""
    sheet = Sheet()
    before = 3
    for size, width, convs in ((32, 16, 2 * n + 1), (16, 32, 2 * n), (8, 64, 2 * n)):
        for _ in range(convs):
            sheet.conv(size, 3, before, width)
            sheet.norm(width)
            before = width
    sheet.dense(64, 10)
    return sheet.counts


def preact(n, block, k=1):
    """Pre-activation ResNet and Wide ResNet (table 1): normalization in front, and once more at the end."""
    sheet = Sheet()
    sheet.conv(32, 3, 3, 16)
    before, size = 16, 32
    for width in (16 * k, 32 * k, 64 * k):
        after = width if block == "basic" else 4 * width
        for j in range(n):
            larger = size
            if width > 16 * k and j == 0:
                size //= 2
            if block == "basic":
                convs = [(size, 3, before, width), (size, 3, width, width)]
            else:
                convs = [(larger, 1, before, width), (size, 3, width, width), (size, 1, width, after)]
            for conv in convs:
                sheet.norm(conv[2])
                sheet.conv(*conv)
            if before != after:
                sheet.conv(size, 1, before, after)
            before = after
    sheet.norm(before)
    sheet.dense(before, 10)
    return sheet.counts
