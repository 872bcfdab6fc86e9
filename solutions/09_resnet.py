# %% [markdown]
# # 9 · ResNet
#
# *Lecture 5, "ResNet"; lecture 6, "Case Studies"; CS231n summary of lecture 9, "ResNet".*
#
# **Question.** AlexNet had 8 layers, VGGNet 19, GoogLeNet 22, and each time deeper was better. Why stop there?
# Because with fifty plain layers something odd happens: the network gets worse, and not only on new images. It is worse
# on the very images that it learns from. In 2015 four authors mended this with a plus sign, and trained 152 layers.
# **Why do deep plain networks fail, and what does x + f(x) change?** You will make a network fail, show that its failure
# is neither overfitting nor a vanished gradient, and look at what each block of a residual network has learned.
#
# **Know first**: convolutional layers and how to count them (lessons 1 and 3), backpropagation, gradient descent with
# momentum. The first weights of He et al. (lesson 6) help.

# %% setup
import course_lib

course_lib.start()

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops

from course_lib import claims, datasets, pick, plotting, seed, training
from course_lib.accounting import cost_table, layer_costs, overview, unallocated
from course_lib.architectures import ARCHITECTURES, CifarResNet
from course_lib.architectures.resnet import basic, bottleneck
from course_lib.checks import check, finding, findings_table, measured, prediction
from course_lib.initialization import weight_gradients
from course_lib.plotting import COLORS
from course_lib.tables import Table
from course_lib.visualization import input_gradient

# %% [markdown]
# ## 1 · Predict
#
# Write your guesses in place of `None` before you run anything; the wrap-up compares. You may leave one out, too.
#
# **The slides ask**: what happens when we stack more and more layers on a plain convolutional network? Take two networks
# of 3x3 convolutions, one more than twice as deep as the other. Same images, same recipe, BatchNormalization in both.
#
# 1. Which one has the lower loss on the images that it is *trained on*: "shallow" or "deep"?
# 2. If the deep one is worse there, why? "a": it has too many weights and overfits, "b": the gradient vanishes on its
#    way to the first layers, "c": good weights exist, but gradient descent does not find them.
# 3. Before the first step of training, take each layer's gradient relative to the size of its weights. How large is it
#    in the first layers of the deep plain network, beside its last layers? "much smaller", "about equal" or "much
#    larger"?
# 4. A *bottleneck* squeezes 256 channels to 64, convolves there, and goes back to 256. How many times fewer weights has
#    it than two 3x3 convolutions with 256 channels?

# %%
my_guess_training = None  # "shallow" or "deep"
my_guess_reason = None  # "a", "b" or "c"
my_guess_gradient = None  # "much smaller", "about equal" or "much larger"
my_guess_saving = None  # a number

# %% [markdown]
# ## 2 · Build it
#
# ### 2.1 Doing nothing is hard
#
# Take a network that works, and add layers. At worst the new layers could do nothing: pass on what they receive. Then
# the deeper network would be exactly as good as before. So *deeper should never be worse*, at least in training.
# But what must a layer learn in order to do nothing? A 3x3 convolution with three channels, on a tiny volume:

# %%
rng = np.random.default_rng(0)
x = rng.uniform(0, 1, size=(1, 5, 5, 3)).astype("float32")  # behind a ReLU nothing is negative


def f(x, kernel):
    """A layer: 3x3 convolution and ReLU."""
    return ops.convert_to_numpy(ops.relu(ops.conv(x, kernel, padding="same")))


nothing = np.zeros((3, 3, 3, 3), "float32")
copy = nothing.copy()
copy[1, 1] = np.eye(3)  # the middle of the window, each channel to itself
random = rng.normal(0, 0.05, size=nothing.shape).astype("float32")

rows = []
for name, kernel in {"all weights 0": nothing, "small random weights": random, "the copying weights": copy}.items():
    plain, residual = f(x, kernel), x + f(x, kernel)
    rows.append({"kernel": name, "f(x), distance from x": np.abs(plain - x).mean(),
                 "x + f(x), distance from x": np.abs(residual - x).mean()})  # fmt: skip
Table(rows, formats=dict.fromkeys(list(rows[0])[1:], ".2f"))

# %% [markdown]
# A plain layer does nothing with one exact choice of its 81 weights: 1 at three places, 0 at all others. With 64
# channels it is one choice of 36,864 weights, and training begins far away from it, at small random numbers. A
# **residual** layer, x + f(x), does nothing with all weights at zero, and *nearly* nothing with small ones. It only has
# to learn what to change, the **residual**: the wanted output minus x. If the best change is small, a small f(x) is
# easy to find.
#
# ### 2.2 The blocks
#
# ResNet adds after every two or three convolutions, not after each one. The way of x around them is called the
# **shortcut**, or *skip connection* (lecture 6). The two kinds of block:

# %% alt="Two diagrams. Left, the basic block: x goes down through conv 3x3, BN, ReLU, conv 3x3, BN to a plus sign, and along a second arrow at the side directly to the same plus sign, then through ReLU. Right, the bottleneck block: conv 1x1 from 256 to 64 channels, conv 3x3 with 64, conv 1x1 to 256, each with BN, and the same direct arrow."
def draw_block(ax, title, steps):
    """Boxes from top to bottom, the last one a ReLU behind the plus; the shortcut on the right."""
    ys = np.linspace(9, 2.6, len(steps))
    for y, (text, color) in zip(ys, steps):
        ax.text(4, y, text, ha="center", va="center", bbox={"boxstyle": "round,pad=0.35", "fc": color, "ec": "none"})
    stops = [10, *ys, 1.5]
    for above, below in zip(stops, stops[1:]):
        ax.annotate("", (4, below + 0.35), (4, above - 0.35), arrowprops={"arrowstyle": "-|>", "color": "#4D4D4D"})
    ax.text(4, 10.1, "x", ha="center", va="center", fontsize=13, style="italic")
    ax.text(4, 1.4, "+", ha="center", va="center", fontsize=18, color=COLORS["vermillion"], weight="bold")
    ax.annotate("", (4.35, 1.4), (4.3, 10.1), arrowprops={
        "arrowstyle": "-|>", "color": COLORS["vermillion"], "lw": 2, "connectionstyle": "bar,angle=90,fraction=-0.38"})  # fmt: skip
    ax.text(8.7, 6, "shortcut:\nx itself", color=COLORS["vermillion"], ha="left", va="center")
    ax.text(1.2, 6, "f(x)", ha="right", va="center", fontsize=13, style="italic")
    ax.text(4, 0.1, "ReLU", ha="center", va="center", bbox={"boxstyle": "round,pad=0.35", "fc": "#E6E6E6", "ec": "none"})
    ax.annotate("", (4, 0.45), (4, 1.1), arrowprops={"arrowstyle": "-|>", "color": "#4D4D4D"})
    ax.set(xlim=(0, 11), ylim=(-0.5, 10.6), title=title)
    ax.axis("off")


sky, grey = "#CFE8F7", "#E6E6E6"
fig, axes = plt.subplots(1, 2, figsize=(7.5, 5))
draw_block(axes[0], "basic block (18, 34 layers)", [
    ("conv 3x3, 64 → 64", sky), ("BN, ReLU", grey), ("conv 3x3, 64 → 64", sky), ("BN", grey)])  # fmt: skip
draw_block(axes[1], "bottleneck (50, 101, 152 layers)", [
    ("conv 1x1, 256 → 64", sky), ("BN, ReLU", grey), ("conv 3x3, 64 → 64", sky), ("BN, ReLU", grey),
    ("conv 1x1, 64 → 256", sky), ("BN", grey)])  # fmt: skip
plt.show()

# %% [markdown]
# The **bottleneck** takes up an idea of GoogLeNet's: a 1x1 convolution makes the volume thin, and the costly 3x3 window
# works on the thin volume. ResNet then makes it thick again with another 1x1. What this saves, counted from real Keras
# graphs, at the size where ResNet-50 has its first blocks:

# %%
def one_block(function, channels, filters, **options):
    image = keras.Input((56, 56, channels))
    return keras.Model(image, function(image, filters, name="block", **options))


with unallocated():  # counted only: no memory for weights
    built = {
        "two 3x3, 64 channels (basic)": one_block(basic, 64, 64),
        "two 3x3, 256 channels": one_block(basic, 256, 256),
        "1x1, 3x3, 1x1: 256-64-64-256 (bottleneck)": one_block(bottleneck, 256, 64),
    }
weights_of = {}
rows = []
for name, model in built.items():
    convs = [cost for cost in layer_costs(model) if cost.macs]
    weights_of[name] = sum(cost.params for cost in convs)
    rows.append({"block": name, "weights": weights_of[name], "MACs": sum(cost.macs for cost in convs)})
Table(rows)

# %% [markdown]
# The bottleneck carries a volume four times as thick for a little *less* than the basic block. That is why ResNet-50,
# with bottlenecks in the place of ResNet-34's basic blocks, costs nearly the same.
#
# After every convolution stands **BN**, BatchNormalization. Let us take it apart.
#
# ### 2.3 BatchNormalization by hand
#
# **Forward, in training.** For each channel, take the mean and the variance over all images of the batch *and* all
# positions. Subtract the mean, divide by the standard deviation: now the channel has mean 0 and variance 1. Then
# multiply by gamma and add beta, two trained numbers a channel, so that the network can choose another scale if it
# wants one. (So in a residual block the last BN's gamma decides how large f(x) is. With gamma and beta at 0 the block
# does nothing.)
#
# **The moving statistics.** At inference there may be only one image, and its answer must not depend on what else lies
# in the batch. So training also keeps moving averages of the means and variances: *new = 0.9 · old + 0.1 · this batch*.
#
# **At inference** these fixed numbers are used. Then BN is a line, a·x + b, the same for every image.

# %%
batch = rng.normal(3, 2, size=(32, 4, 4, 5)).astype("float32")  # 32 images, 4x4 positions, 5 channels
gamma, beta = rng.uniform(0.5, 2, 5).astype("float32"), rng.normal(size=5).astype("float32")
EPSILON, MOMENTUM = 1e-5, 0.9  # epsilon: never divide by zero

mean, variance = batch.mean(axis=(0, 1, 2)), batch.var(axis=(0, 1, 2))  # 5 numbers each
by_hand = gamma * (batch - mean) / np.sqrt(variance + EPSILON) + beta
moving_mean = MOMENTUM * 0 + (1 - MOMENTUM) * mean  # they start at 0 and 1
moving_variance = MOMENTUM * 1 + (1 - MOMENTUM) * variance
at_inference = gamma * (batch - moving_mean) / np.sqrt(moving_variance + EPSILON) + beta

norm = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)
norm.build(batch.shape)
norm.gamma.assign(gamma)
norm.beta.assign(beta)
pairs = {
    "training": (by_hand, norm(batch, training=True)),  # this call also moves the statistics
    "moving mean": (moving_mean, norm.moving_mean),
    "moving variance": (moving_variance, norm.moving_variance),
    "inference": (at_inference, norm(batch, training=False)),
}
for name, (ours, keras_says) in pairs.items():
    print(f"{name}: by hand = Keras:", np.allclose(ours, ops.convert_to_numpy(keras_says), atol=1e-4))
means = [values[..., 0].mean() for values in (by_hand, at_inference)]
print(f"mean of the first channel: {means[0]:.2f} in training, {means[1]:.2f} at inference")

# %% [markdown]
# The same batch, two different answers. That is the trap of BN: **training and inference agree only when the moving
# statistics have caught up**. After n steps the share momentumⁿ of them is still the start, 0 and 1:

# %% alt="Two falling curves over 300 steps: the share of the starting values in the moving statistics. With momentum 0.9 it is gone after 40 steps. With 0.99, Keras' default, a third is left after 110 steps, and 5 percent after 300."
steps = np.arange(301)
fig, ax = plt.subplots(figsize=(7, 3))
for momentum, color in {0.9: "blue", 0.99: "vermillion"}.items():
    ax.plot(steps, 100 * momentum**steps, color=COLORS[color], label=f"momentum {momentum}")
ax.set(xlabel="training steps", ylabel="still the start (%)", title="How long the moving statistics remember the start")
ax.legend()
plt.show()

# %% [markdown]
# Keras' default is 0.99. In a short training, like all of ours, evaluation then looks broken while the training loss is
# near zero. The kit's ResNets have 0.9. (The authors took no moving average: after the training they computed the plain
# mean and variance over many training images.)
#
# **Backward, in training.** Shifting all of x by the same number does not change the output, and neither does
# stretching it. So the gradient of x must not point in either direction. Write x̂ for the normalized x, dy for the
# gradient of the loss with respect to the output, dx for that with respect to x. The chain rule gives, for each
# channel,
#
# **dx = gamma / std · ( dy − mean(dy) − x̂ · mean(dy · x̂) )**
#
# The second term takes out the part that would shift x, the third the part that would stretch it. On one channel,
# against Keras' own gradient:

# %%
channel = batch[..., 0].reshape(-1, 1)  # 512 numbers
dy = rng.normal(size=channel.shape).astype("float32")
std = np.sqrt(channel.var() + EPSILON)
hat = (channel - channel.mean()) / std
dx = gamma[0] / std * (dy - dy.mean() - hat * (dy * hat).mean())


def loss(x):
    normalized = (x - ops.mean(x)) / ops.sqrt(ops.var(x) + EPSILON)
    return ops.sum(gamma[0] * normalized * dy)


print("dx by hand = dx by Keras:", np.allclose(dx, input_gradient(loss, channel)[1], atol=1e-5))
print(f"part of dx that shifts x: {abs(dx.mean()):.3f}, part that stretches x: {abs((dx * hat).mean()):.3f}")

# %% [markdown]
# ### 2.4 The whole network
#
# **Stem**: a 7x7 convolution with stride 2 and max pooling, which take 224 pixels down to 56. **Four stages** of blocks:
# the first block of each later stage halves height and width by stride 2 and doubles the channels, so a volume has half
# as many values as the one before. **Head**: the mean of each map (global average pooling), and one FC layer. That is
# all: no dropout, no hidden FC layers. Five depths from one table:

# %%
def counted(name, **arguments):
    """A network of the catalogue, without memory for its weights."""
    with unallocated():
        return ARCHITECTURES[name](**arguments)


def blocks(model):
    """Blocks in each of the four stages."""
    ends = [layer.name for layer in model.layers if layer.name.endswith("_out")]
    return tuple(sum(name.startswith(f"stage{i}_") for name in ends) for i in (1, 2, 3, 4))


NAMES = ["ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152"]
resnets = {name: counted(name) for name in NAMES}
seen = {name: overview(model) for name, model in resnets.items()}
published = {row["name"]: row for row in claims.published()}
rows = []
for name, model in resnets.items():
    rows.append({
        "network": name, "blocks": ", ".join(map(str, blocks(model))),
        "kind": "bottleneck" if "stage1_block1_conv3" in [layer.name for layer in model.layers] else "basic",
        "layers": seen[name].weight_layers, "parameters": seen[name].totals.trainable_params,
        "GMACs": seen[name].totals.macs / 1e9, "top-1 error (%)": published[name]["imagenet_top1_error"],
    })  # fmt: skip
Table(rows, caption="ImageNet; errors as published, 10 crops", formats={"GMACs": ".2f", "top-1 error (%)": ".2f"})

# %% [markdown]
# Count a depth yourself: ResNet-34 has 3 + 4 + 6 + 3 blocks of two convolutions, the stem and the FC layer:
# 2 · 16 + 2 = 34. ResNet-152 has eight times VGG19's depth and needs *fewer* multiply-adds than VGG16's 15.5 billion,
# since its stem shrinks the image at once and most blocks work on 14x14 pixels. (*Top-1 error*: the share of images
# whose best-scored class is wrong. *10 crops*: the answer is the mean over ten cut-outs of the image. For 18 layers the
# paper has only a variant without weights in the shortcuts: 27.88 %.) Drawn to one scale:

# %% alt="Silhouettes of VGG16 and of ResNets with 18, 34, 50 and 152 layers. Upwards the side of the maps, which falls in steps from 224 to 7; downwards the number of channels. VGG16 is short and tall. ResNet-152 is a very long band, most of it at 14 by 14 pixels."
drawn = {name: seen[name].silhouette for name in ("ResNet18", "ResNet34", "ResNet50", "ResNet152")}
drawn = {"VGG16": overview(counted("VGG16")).silhouette} | drawn
plotting.silhouette_grid(
    [
        {"name": name, "group": 2014 if name == "VGG16" else 2015, "silhouette": volumes,
         "caption": f"{published[name]['params'] / 1e6:.1f} M parameters\n{published[name]['macs'] / 1e9:.1f} G MACs"}
        for name, volumes in drawn.items()
    ],
    width=9,
    example="ResNet18",
)  # fmt: skip
plt.show()

# %% [markdown]
# **For small images** the paper has a smaller family: a 3x3 convolution, then three stages of n basic blocks with 16, 32
# and 64 filters: 6n + 2 layers. Where the shape changes, the shortcut takes every second position and fills up with
# channels of zeros (**option A**: no weights; a 1x1 convolution with stride 2 is **option B**). This family runs in our
# experiments. Its smallest member, n = 1, drawn from its graph and counted:

# %% alt="A network of 8 layers as a row of solids: an 8 by 8 input, three stages whose volumes become smaller and thicker, 8 by 8 by 16, 4 by 4 by 32 and 2 by 2 by 64, and a bar of ten outputs. Merges mark where shortcut and branch are added."
smallest = CifarResNet(depth=8, input_shape=(8, 8, 1))
plotting.plot_architecture(smallest, title="n = 1: 8 layers, 8x8 pixels")
plt.show()

# %%
costs = cost_table(smallest)
folded = ("Activation", "ZeroPadding2D")
Table([row for row in costs.rows if row["kind"] not in folded], costs.columns, caption="ReLU and padding left out")

# %% [markdown]
# ### 2.5 Any image size
#
# The CS231n summary says that *in theory* a ResNet can be trained with images of variable size. Nothing in it asks for
# a fixed size: convolutions, BN and sums work at every position, and the head takes the mean over however many
# positions are there. ResNet-50, built once with open height and width, the same weights throughout:

# %%
open_size = counted("ResNet50", input_shape=(None, None, 3))
rows = []
for size in [(224, 224), (320, 320), (97, 161)]:
    costs = {cost.name: cost for cost in layer_costs(open_size, input_shape=(*size, 3))}
    row = {"image": f"{size[0]}x{size[1]}"}
    row |= {f"stage {i}": costs[f"stage{i}_block{n}_out"].output_shape for i, n in enumerate((3, 4, 6, 3), 1)}
    rows.append(row | {"output": costs["output"].output_shape[0], "GMACs": sum(c.macs for c in costs.values()) / 1e9})
Table(rows, formats={"GMACs": ".2f"})

# %% [markdown]
# That it *runs* does not say that it *sees* as well: 4.5 tries it on enlarged digits.
#
# ## 3 · Check the lecture
#
# The lectures' figures on ResNet, beside what this notebook counted and what is true. *Not verified* means only that the
# row was not looked up in the paper again; then the table gives no verdict. On the five lists of blocks you can judge
# yourself, by counting as in 2.4: with 3, 4, 6 blocks of two convolutions "34 layers" would be 2 · 13 + 2 = 28.

# %%
maps = {i: resnets["ResNet34"].get_layer(f"stage{i}_block1_out").output.shape[1:] for i in (1, 2, 3, 4)}
dense = [layer for layer in resnets["ResNet50"].layers if isinstance(layer, layers.Dense)]
three = [resnets["ResNet50"].get_layer(f"stage1_block2_conv{i}") for i in (1, 2, 3)]
computed = {
    "l5-192": seen["ResNet152"].weight_layers,
    "l5-198": ", ".join(str(seen[name].weight_layers) for name in NAMES),
    "c9-062": f"1/{np.prod(maps[1]) // np.prod(maps[2])}",
    "l5-197": f"only FC {dense[0].units}",
    "l6-040": len(dense),
    "l5-199": ", ".join(f"conv{i + 1} {shape[-1]}" for i, shape in maps.items()),
    "l5-205": overview(counted("ResNet18", shortcut="A")).totals.macs,
    "l5-206": overview(counted("ResNet34", shortcut="A")).totals.macs,
    "c9-065": "-".join(map(str, [three[0].input.shape[-1], *(layer.filters for layer in three)])),
    "l5-213": three[1].filters,
    "l5-212": three[2].filters,
}
computed |= {f"l5-20{k}": ", ".join(map(str, blocks(model))) for k, model in enumerate(resnets.values())}
computed |= {f"l5-20{k}": seen[name].totals.macs for k, name in enumerate(NAMES[2:], 7)}
claims.table(["ResNet", "ResNet table", "ResNet plain vs residual", "ResNet bottleneck", "ResNet training"], computed)

# %% [markdown]
# What is wrong, and why:
#
# * **The deeper plain net has the *lower* training and test error** (*wrong*). A slip that turns the whole story round;
#   the next sentence of the same summary says the opposite. In the paper 56 plain layers are worse than 20 on both. You
#   will measure it in 4.1.
# * **conv3 with 64 filters, conv4 with 128, conv5 with 256** (*wrong*). In the transcript of the slide the rows of the
#   table slid down by one, and the last stage, with 512 filters, fell off; so did the last number of each list of
#   blocks. The stages have 64, 128, 256 and 512 filters on 56, 28, 14 and 7 pixels. Built as printed, the network would
#   be another, much smaller one.
# * **No FC layers at the end** (*wrong*). No *hidden* ones. One remains, 2,048 → 1,000 in ResNet-50, with 2,049,000 of
#   25.6 million parameters. VGG16 has 124 million in its three.
# * **1,202 layers without getting worse** (*wrong*). It *trains* without trouble, to a training error below 0.1 %. But
#   on the test images it makes 7.93 % mistakes, against 6.43 % with 110 layers. The authors suspect overfitting: 19.4
#   million parameters for 50,000 small images. Shortcuts mend the optimization, not everything.
# * **Weight decay 1e-5** (*wrong*). The paper has 1e-4. Section 4.6 shows what a factor of ten means there.
#
# And three that are right, with a footnote. The **FLOPs** are multiply-adds; for ResNet-50 you will read both 3.8 and
# 4.1 billion, since many libraries let the 3x3 convolution stride in place of the 1x1 before it. **Two 3x3 convolutions
# in every block** holds for 18 and 34 layers. And the famous **3.57 %** beside "152-layer model" belongs to six
# networks together; one ResNet-152 alone reaches 4.49 % on the validation images. (Both are top-5 errors: the right
# class is not among the best five.)
#
# ## 4 · See it
#
# ### 4.1 Deeper is worse
#
# Plain and residual networks of two depths. The residual ones have shortcuts of option A, which have no weights: so
# plain and residual twins have the same number of parameters and, from one seed, the very same first weights. In the
# quick profile they read scikit-learn's handwritten digits at their own size, 8x8 pixels; the full profile takes 20,000
# photographs of CIFAR-10.
#
# * *Hypothesis A*: the deeper plain network has the higher **training** loss (the slides).
# * *Hypothesis B*: the deeper residual network does not: it is at most 0.1 above the shallow one.
# * *Metric*: mean training loss of the last epoch, deep minus shallow. Training and not test: overfitting cannot raise
#   it.
# * *Stopping rule*: a fixed number of epochs with one fixed recipe (SGD, momentum 0.9, BN, He's first weights), look
#   once.

# %%
SHALLOW, DEEP = pick(quick=(14, 32), full=(20, 56))
EPOCHS, BATCH, RATE = pick(quick=(4, 64, 0.03), full=(8, 128, 0.1))
data = datasets.load(pick(quick="digits", full="cifar10"), samples=pick(quick=None, full=20_000))
centre = data.train.images.mean(axis=(0, 1, 2))
train, validation, test = [(split.images - centre, split.labels) for split in (data.train, data.validation, data.test)]
unseen = tuple(np.concatenate(pair) for pair in zip(validation, test))  # nothing was chosen by looking at them


def network(depth, shortcut):
    """A network of the small family that puts out logits, for images of any size; None: without shortcuts."""
    keras.utils.set_random_seed(seed())
    shape = (None, None, len(centre))
    model = CifarResNet(depth=depth, shortcut=shortcut, input_shape=shape, classifier_activation=None)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE, momentum=0.9), cross_entropy, metrics=["accuracy"], jit_compile=False)
    return model


def train_it(model, label):
    return training.fit(model, train, epochs=EPOCHS, batch_size=BATCH, label=label, seed=seed())


models = {
    f"{kind}, {depth} layers": network(depth, shortcut)
    for kind, shortcut in {"plain": None, "residual": "A"}.items()
    for depth in (SHALLOW, DEEP)
}
plain_shallow, plain_deep, res_shallow, res_deep = models
same = all(np.array_equal(a, b) for a, b in zip(models[plain_deep].get_weights(), models[res_deep].get_weights()))
print(f"{DEEP} layers: {models[plain_deep].count_params():,} parameters, plain and residual alike:", same)

# %% [markdown]
# Before the training we note the gradient of every layer in the two deep networks (for 4.3). Then all four are trained.

# %% trained
def kernel_sizes(model):
    """‖weights‖ of every convolution."""
    return np.array([np.linalg.norm(w) for w in model.get_weights() if w.ndim == 4])


def gradient_by_layer(model):
    """‖gradient‖ / ‖weights‖ of every convolution: by which share a step of rate 1 would change it."""
    some = train[0][:256], train[1][:256]
    gradients = weight_gradients(model, *some, training=True)  # BN with the statistics of the batch
    return np.array([np.linalg.norm(g) for g in gradients if g.ndim == 4]) / kernel_sizes(model)


sizes = {name: kernel_sizes(models[name]) for name in (plain_deep, res_deep)}
at_start = {name: gradient_by_layer(models[name]) for name in (plain_deep, res_deep)}
histories = {name: train_it(models[name], name) for name in (plain_shallow, plain_deep)}

# %% trained
histories |= {name: train_it(models[name], name) for name in (res_shallow, res_deep)}
after = {name: gradient_by_layer(models[name]) for name in (plain_deep, res_deep)}

# %% trained alt="Two panels of training loss over the epochs. Left, plain networks: the deep one learns far more slowly and ends with a loss many times that of the shallow one. Right, residual networks: both fall quickly, and their curves lie close together near zero."
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, pair, title in zip(axes, [(plain_shallow, plain_deep), (res_shallow, res_deep)], ["plain", "residual"]):
    for name, color in zip(pair, ["sky", "vermillion"]):
        losses = histories[name]["loss"]
        ax.plot(1 + np.arange(len(losses)), losses, "o-", color=COLORS[color], label=name)
    ax.set(xlabel="epoch", title=title, xticks=range(1, EPOCHS + 1))
    ax.legend()
axes[0].set_ylabel("training loss")
plt.show()

# %% trained
final = {name: history.final["loss"] for name, history in histories.items()}
rows = []
for name, model in models.items():
    result = training.evaluate(model, unseen)
    rows.append({"network": name, "training loss": final[name], "unseen: loss": result["loss"],
                 "unseen: error (%)": 100 * (1 - result["accuracy"])})  # fmt: skip
Table(rows)

# %% trained
bands = {
    "resnet_plain_degradation": pick(quick=(0.4, 1.5), full=(0.0, 3.0)),
    "resnet_residual_degradation": pick(quick=(-0.05, 0.1), full=(-0.3, 1.0)),
    "resnet_constructed_minus_shallow": (-0.001, 0.001),
    "resnet_plain_gradient_ratio": pick(quick=(10, 35), full=(10, 10_000)),
    "resnet_lesion_residual_minus_plain": pick(quick=(65, 95), full=(0, 90)),
    "resnet_accuracy_enlarged": pick(quick=(5, 40), full=(10, 90)),
}
plain_gap, residual_gap = final[plain_deep] - final[plain_shallow], final[res_deep] - final[res_shallow]
finding("resnet_plain_degradation", plain_gap, band=bands["resnet_plain_degradation"],
        claim="a deeper plain network has a higher training loss", verdict="confirms",
        unit="higher training loss", source=data.source)
finding("resnet_residual_degradation", residual_gap, band=bands["resnet_residual_degradation"],
        claim="a deeper residual network has a training loss at most 0.1 higher", verdict=pick(quick="confirms", full="contradicts"),
        unit="higher training loss", source=data.source)  # fmt: skip

# %% trained alt="Dots by seed for how much higher the training loss of the deep plain network is: all far right of the black line at 0, and so are the star of this run and the diamond of the full profile. | Dots by seed for the same difference between residual networks: all close to the black line at 0, and so is the star of this run; the diamond of the full profile lies far right, at 0.47."
def draw_runs(name, live, title, unit, line):
    ax = plotting.plot_finding(measured("09_resnet", name), live, bands[name], title=title, unit=unit)
    ax.axvline(line, color="black", lw=1)
    plt.show()


draw_runs("resnet_plain_degradation", plain_gap, "Plain: deep minus shallow", "training loss", 0)
draw_runs("resnet_residual_degradation", residual_gap, "Residual: deep minus shallow", "training loss", 0)

# %% [markdown]
# Five seeds, each with one and two threads. The deep plain network is always worse *in training*, so overfitting is not
# the reason. And it has BN everywhere, and He's first weights. The residual twin, with the same weights at the start
# and not one parameter more, learns. It ends up to 0.05 *above* the shallow one, never below: for digits of 8x8 pixels
# 14 layers are enough, and more bring nothing. On ImageNet they do: from 18 to 34 layers the top-1 error of plain
# networks rises from 27.94 to 28.54 %, and that of residual ones falls from 27.88 to 25.03 % (the slide's table,
# section 3).
#
# The diamonds are the full profile: 20 and 56 layers on 20,000 photographs of CIFAR-10, 8 epochs with rate 0.1, one run.
# The deep plain network is 1.04 behind the shallow one, the residual one 0.47. So shortcuts take away more than half of
# the damage, but against our hypothesis B not all. Perhaps 1,250 steps are too few for 56 layers; we did not try more.
# (The paper took 64,000, and there the residual 56 layers end below the 20, with 6.97 and 8.75 % test errors.) Residual
# networks make depth trainable, not free.
#
# ### 4.2 The good weights exist
#
# Could it be that the deep plain network simply *cannot* do better? No, and the slides prove it by construction: take
# the trained shallow network, and set the additional layers so that they pass on what they receive (the copying weights
# of 2.1). We do just that.
#
# * *Hypothesis*: the constructed deep plain network has the training loss of the shallow one.
# * *Metric*: loss on the training images, constructed minus shallow. Here it is measured after the training, at
#   inference, so with moving statistics. In 4.1 it was the mean over the last epoch, with the statistics of each batch:
#   the same network has another number there.

# %%
def make_identity(model, block, residual):
    """Set the weights of a block so that it puts out just what it receives."""
    for part in ("conv1", "conv2"):
        conv, norm = model.get_layer(f"{block}_{part}"), model.get_layer(f"{block}_{part}_bn")
        kernel = np.zeros(conv.kernel.shape)
        kernel[1, 1] = np.eye(kernel.shape[-1])
        conv.set_weights([kernel])
        one = np.ones(kernel.shape[-1])
        norm.set_weights([one, 0 * one, 0 * one, one - norm.epsilon])  # gamma, beta, moving mean and variance
    if residual:
        norm.gamma.assign(0 * one)  # f(x) = 0


def copy_shallow(shallow, deep):
    """Set the weights of a deep plain network so that it computes what the shallow one computes."""
    known = [layer.name for layer in shallow.layers]
    for layer in deep.layers:
        if layer.name in known:
            layer.set_weights(shallow.get_layer(layer.name).get_weights())
        elif layer.name.endswith("_out"):
            make_identity(deep, layer.name.removesuffix("_out"), residual=False)


# %% trained
loss_of = {name: training.evaluate(models[name], train)["loss"] for name in (plain_shallow, plain_deep)}
trained_weights = models[plain_deep].get_weights()
copy_shallow(models[plain_shallow], models[plain_deep])
loss_of[f"plain, {DEEP} layers, constructed"] = constructed = training.evaluate(models[plain_deep], train)["loss"]
models[plain_deep].set_weights(trained_weights)  # as they were
finding("resnet_constructed_minus_shallow", constructed - loss_of[plain_shallow],
        band=bands["resnet_constructed_minus_shallow"],
        claim="a deep plain network exists that is as good as the shallow one", verdict="confirms",
        unit="training loss", source=data.source)
Table([{"network": name, "loss on the training images": value} for name, value in loss_of.items()])  # fmt: skip

# %% [markdown]
# So among the weights of the deep plain network there are some that do as well as the shallow one, and gradient descent
# from random weights did not find them. The problem is not what the network *can* do, and not overfitting. It is the
# **search**: deep plain networks are hard to optimize.
#
# ### 4.3 Has the gradient vanished?
#
# That was the old explanation, and the slides say that normalization has settled it. Here is the gradient of each
# convolution, relative to its weights.
#
# * *Hypothesis*: in the deep plain network, before training, the gradient of the first third of the layers is not
#   smaller than that of the last third.
# * *Metric*: the ratio of the two medians. Below 1 it fades on its way to the image.

# %% trained alt="Two panels with the relative gradient of every convolution, on a logarithmic axis, from the first to the last. Before training the plain network's curve falls steeply from left to right: the first layers have by far the largest gradients. The residual network's curve falls far less. After the training both curves lie lower, and neither is steep."
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, values, title in zip(axes, [at_start, after], ["before training", f"after {EPOCHS} epochs"]):
    for (name, norms), color in zip(values.items(), ["vermillion", "blue"]):
        ax.semilogy(1 + np.arange(len(norms)), norms, color=COLORS[color], label=name)
    ax.set(xlabel="convolution, from the image on", title=title)
    ax.legend()
axes[0].set_ylabel("‖gradient‖ / ‖weights‖")
plt.show()


def first_over_last(norms):
    third = len(norms) // 3
    return np.median(norms[:third]) / np.median(norms[-third:])


rows = []
for name in (plain_deep, res_deep):
    third = len(sizes[name]) // 3
    growth = kernel_sizes(models[name]) / sizes[name]
    rows.append({"network": name, "gradient, first third / last third": first_over_last(at_start[name]),
                 "weights grew in the first third": np.median(growth[:third]),
                 "in the last third": np.median(growth[-third:]), "at most": growth.max()})  # fmt: skip
gradient_ratio = rows[0]["gradient, first third / last third"]
finding("resnet_plain_gradient_ratio", gradient_ratio, band=bands["resnet_plain_gradient_ratio"],
        claim="with normalization the gradient of a deep plain network does not vanish", verdict="confirms",
        unit="x, first third / last third", source=data.source)
Table(rows, caption="gradient before training; growth: size of the weights after training / before",
      formats=dict.fromkeys(list(rows[0])[1:], ".2f"))  # fmt: skip

# %% [markdown]
# It has not vanished. It has *exploded*: from right to left, on its way back, it grows in every layer by about the same
# factor, so in the picture it is nearly a straight line. BN is the reason, as Yang et al. (2019) show by theory; we did
# not try it without BN. Layers of random weights and ReLU make different images look more and more alike. BN subtracts
# what they share and blows the rest up to full size, and what enlarges small differences on the way forward enlarges
# gradients on the way back.
#
# So at the first steps the front layers are thrown about: their gradient is as large as the weights themselves, or
# larger, and the table shows that the weights grow, while those of the residual network keep their size. Where BN
# follows a convolution, the size of its weights has no effect on the output, so larger weights only make the next steps
# relatively smaller, and in the right panel the explosion is over. But time was probably lost, and what the back layers
# learned meanwhile rested on noise. **One rate can hardly suit layers whose gradients differ so much.** In the residual
# network the gradient arrives through the shortcuts, since d(x + f)/dx = 1 + f′, with the same 1 in every block.
#
# Is this the whole reason? The authors looked at the gradients, too, and called them healthy. They only guessed that
# deep plain networks learn very slowly, and the loss of ours is still falling in the last epoch. What is sure is what
# you measured: it is the search that fails.
#
# ### 4.4 What has a block learned?
#
# If the layers of a residual network only learn *changes*, then taking one block out should hurt little. In a plain
# network each block works on what the one before made: without it, the next gets an input that it has never seen. So:
# train networks of equal depth, replace one block by the identity, test; put it back, take the next. (Only blocks that
# keep the shape: where it changes there is no identity.)
#
# * *Hypothesis*: a residual network minds the loss of a block less.
# * *Metric*: accuracy on the unseen images with one block gone, median over the blocks;
#   residual minus plain, both shallow, so that both have learned.

# %% trained alt="Bar chart of accuracy with one block taken out, block by block, for the plain and the residual network of equal depth. The residual network's bars rise from about 40 percent for the first block to nearly its accuracy as a whole for the last. All bars of the plain network lie near 10 percent."
def without_one_block(model, residual):
    """Accuracy on the unseen images without each block that keeps the shape, by block."""
    whole, accuracy = model.get_weights(), {}
    for layer in model.layers:
        name = layer.name.removesuffix("_out")
        keeps = name == "stage1_block1" or not name.endswith("_block1")
        if layer.name.endswith("_out") and keeps:
            make_identity(model, name, residual)
            accuracy[name] = 100 * training.evaluate(model, unseen)["accuracy"]
            model.set_weights(whole)
    return accuracy


lesions = {"plain": without_one_block(models[plain_shallow], False), "residual": without_one_block(models[res_shallow], True)}
fig, ax = plt.subplots(figsize=(7.5, 3.4))
for shift, (kind, accuracy), name, color in zip([-0.2, 0.2], lesions.items(), [plain_shallow, res_shallow], ["vermillion", "blue"]):
    place = np.arange(len(accuracy))
    ax.bar(place + shift, accuracy.values(), 0.38, color=COLORS[color], label=f"{kind}, one block gone")
    ax.axhline(100 * training.evaluate(models[name], unseen)["accuracy"], color=COLORS[color], ls=":", label=f"{kind}, whole")
ax.set_xticks(place, [name.replace("stage", "stage ").replace("_block", "\nblock ") for name in accuracy])
ax.set(ylabel="accuracy on unseen images (%)", ylim=(0, 105))
ax.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.2))
plt.show()

# %% trained
lesion_gap = np.median([*lesions["residual"].values()]) - np.median([*lesions["plain"].values()])
finding("resnet_lesion_residual_minus_plain", lesion_gap, band=bands["resnet_lesion_residual_minus_plain"],
        claim="a residual network minds the loss of a block less than a plain one", verdict="confirms",
        unit="points of accuracy", source=data.source)  # fmt: skip

# %% [markdown]
# In the plain network every block is needed: without any one of them it guesses. In the run shown here the residual
# network suffers most from the loss of its first block, where its features begin, and hardly notices the last one. Over
# five seeds the difference of the medians is 75 to 85 points.
#
# ### 4.5 Which shortcut, and which image size?
#
# So far the shortcuts were option A. Here is what the authors measured on ImageNet, with 34 layers:

# %%
rows = []
for kind, name, model in [
    ("none (plain)", "PlainNet34", counted("PlainNet34")),
    ("A: zeros for new channels", "ResNet34(shortcut='A')", counted("ResNet34", shortcut="A")),
    ("B: 1x1 convolution where the shape changes", "ResNet34", resnets["ResNet34"]),
]:
    row = overview(model).totals
    rows.append({"shortcut": kind, "parameters": row.trainable_params, "GMACs": row.macs / 1e9,
                 "top-1 error (%)": published[name]["imagenet_top1_error"]})  # fmt: skip
Table(rows, caption="34 layers, ImageNet, errors as published", formats={"GMACs": ".3f", "top-1 error (%)": ".2f"})

# %% [markdown]
# What matters is that there is a shortcut at all. B is a little better than A, for 0.8 % more weights; a 1x1
# convolution in *every* shortcut (option C, 24.19 %) gains even less on top, and the straight way of x would be gone.
#
# Now the image size (2.5). Our residual network has read digits of one size only. The same digits, enlarged by half:
#
# * *Hypothesis*: it reads them about as well, since it takes every size. *Metric*: accuracy on the unseen images,
#   enlarged.

# %% trained
size = data.train.images.shape[1] * 3 // 2
enlarged = datasets.resize(unseen[0] + centre, size) - centre
accuracy = {f"{size * 2 // 3}x{size * 2 // 3}, as in training": training.evaluate(models[res_shallow], unseen)["accuracy"],
            f"{size}x{size}": training.evaluate(models[res_shallow], (enlarged, unseen[1]))["accuracy"]}  # fmt: skip
finding("resnet_accuracy_enlarged", 100 * accuracy[f"{size}x{size}"], band=bands["resnet_accuracy_enlarged"],
        claim="a ResNet that was trained on one size reads images of another", verdict=pick(quick="contradicts", full="unresolved"),
        unit="% right", source=data.source)  # fmt: skip
Table([{"images": name, "right (%)": 100 * value} for name, value in accuracy.items()])

# %% [markdown]
# It runs, but it reads badly: over five seeds 10 to 26 % are right, and guessing gives 10 %. A likely reason: strokes
# are wider and longer than any that it has seen, and convolution makes a network indifferent to the *place* of a
# feature, not to its *size*. So *trained with* variable sizes is what the summary must mean: to read several sizes, a
# network must see several.

# %% [markdown]
# ### 4.6 The recipe
#
# What ImageNet's ResNets were trained with, as the slides list it (with the right weight decay), in Keras. Batches have
# 256 images; BN after every convolution, He's first weights and no dropout are in the builder already. (Keras'
# `weight_decay` is not the formula of lesson 4: the end of this section says what that means.)

# %%
recipe = keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, weight_decay=1e-4)
plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=5)  # rate / 10 when it stalls

# %% [markdown]
# How much is a weight decay of 1e-4, or the 1e-5 of the slide? In Keras every step takes the share rate · decay off
# each weight. With the schedule for CIFAR-10 (64,000 steps; the rate falls from 0.1 to 0.01 and 0.001 after 32,000 and
# 48,000) a weight that gets no gradient at all keeps

# %%
rates = np.repeat([0.1, 0.01, 0.001], [32_000, 16_000, 16_000])
Table([{"weight decay": decay, "left of a weight (%)": 100 * np.prod(1 - rates * decay)} for decay in (1e-4, 1e-5)],
      formats={"weight decay": ".0e", "left of a weight (%)": ".0f"})  # fmt: skip

# %% [markdown]
# With 1e-4 unused weights lose almost a third; with the slide's 1e-5 there is hardly any decay. In the formula of the
# AlexNet paper (lesson 4) the decay is part of the gradient and goes through the momentum, so it is about ten times as
# strong: with 1e-4 only 3 % would be left, with 1e-5 71 %. In Keras that formula is an L2 penalty at half the number:
# L2(5e-5) for 1e-4.
#
# ### 4.7 One that was trained for longer
#
# Our networks saw small digits for a few seconds. The kit brings a ResNet-20 that was trained for 80 epochs on the
# photographs of CIFAR-10: `course train resnet20 --data cifar10` made it, in 3.6 hours on two processor cores that did
# other work, too. Rate, momentum and moved and mirrored images are the paper's. The schedule is not: 80 epochs
# in place of 164, and the rate falls along half a cosine. The weight decay is 5e-3 in Keras' way. The paper's 1e-4,
# which goes through the momentum, would be about 1e-3 in Keras' way (4.6), so ours is about five times as strong. The
# network's card holds every epoch.

# %% alt="Two panels over the 80 epochs of a ResNet-20 on CIFAR-10. Left: the error on moved training images falls steadily from 64 to 3 percent; the error on validation images lies above it from the second epoch on, jumps by up to eleven points while the rate is large, and falls smoothly to 11 percent at the end, above the dotted line of the paper's 8.75 percent. Right: the learning rate falls from 0.1 along half a cosine to zero."
card = training.card("resnet20-cifar10")
run = training.History(card["history"])
paper = published["ResNet20"]["cifar10_error"]
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), width_ratios=[2, 1])
for part, name, line in (("accuracy", "training images, moved and mirrored", "-"),
                         ("val_accuracy", "validation images", "--")):  # fmt: skip
    axes[0].plot(run["epoch"], 100 * (1 - run[part]), line, color=COLORS["blue"], label=name)
axes[0].axhline(paper, color="black", ls=":", label="the paper, test images")
axes[0].set(xlabel="epoch", ylabel="error (%)", ylim=(0, None), title="ResNet-20 on CIFAR-10")
axes[0].legend()
axes[1].plot(run["epoch"], run["rate"], color=COLORS["vermillion"])
axes[1].set(xlabel="epoch", ylabel="learning rate", title="Half a cosine")
plt.show()
error = 100 * (1 - card["results"]["test_accuracy"])
rows = [("the kit's", len(run), "45,000", error, card["source"]), ("the paper's", 164, "50,000", paper, "CIFAR-10")]
Table([dict(zip(("ResNet-20", "epochs", "training images", "test error (%)", "images"), row)) for row in rows])

# %% [markdown]
# While the rate is large the validation error jumps, so it matters where training happens to stop. As the rate goes to
# zero the jumps end, and the error falls by several points. The paper divides its rate by 10 twice to the same end.
#
# Ours is not the paper's network yet. It had half of the epochs, a tenth fewer images, and images that were compressed as
# JPEG, which takes detail from such small pictures; schedule and weight decay differ, too. How much each of the five
# costs, or brings, we have not measured, but for a part of the epochs: with 36 of them the same recipe came to 13.2 %. At
# the end it errs on 3 % of the moved training images. So it is not that it has learned too little of *these* images: what
# it learned of them does not hold for all others. `training.pretrained("resnet20-cifar10")` gives you the network; it
# takes images from 0 to 1, normalization is its first layer.
#
# ## 5 · Exercises
#
# Five with a check and one in words. Each stands alone.
#
# ### Exercise 1 · What a bottleneck saves (1 point)
#
# A volume has `channels` maps. Block 1: two 3x3 convolutions, `channels` → `channels`. Block 2: a 1x1 convolution to
# `inner` maps, a 3x3 from `inner` to `inner`, a 1x1 back to `channels`. No biases. How many times as many weights has
# block 1 as block 2?

# %% exercise="bottleneck_saving" points=1
def bottleneck_saving(channels, inner):
    """Weights of two 3x3 convolutions, divided by those of the bottleneck."""
    ### BEGIN SOLUTION
    two = 2 * 9 * channels * channels
    return two / (channels * inner + 9 * inner * inner + inner * channels)
    ### END SOLUTION


# %% check="bottleneck_saving"
with check("bottleneck_saving") as c:
    c.close(
        bottleneck_saving(256, 64),
        1179648 / 69632,
        hint="1x1: channels · inner weights. 3x3: 9 · inner · inner. Block 1: 2 · 9 · channels · channels.",
        mistakes=[
            (69632 / 1179648, "Upside down: block 1 divided by block 2."),
            (589824 / 69632, "Block 1 has two convolutions."),
            (73728 / 69632, "Block 1 works on `channels` maps, not on `inner` ones."),
            (1179648 / 53248, "The bottleneck has a second 1x1 convolution, back to `channels`."),
            (1179648 / 36864, "The 3x3 in the bottleneck has nine weights for each pair of maps."),
            (1180160 / 70016, "No biases here: BN follows, and its beta does their work."),
            (1179648 - 69632, "How many *times*: divide."),
        ],
    )
    c.close(bottleneck_saving(512, 128), 1179648 / 69632, hint="512 and 128: use `channels` and `inner`.")
    c.close(bottleneck_saving(64, 64), 73728 / 45056, hint="It must work for any two numbers, such as 64 and 64.")
### BEGIN HIDDEN TESTS
assert abs(bottleneck_saving(100, 10) - 180000 / 2900) < 1e-9
assert abs(bottleneck_saving(16, 48) - 4608 / 22272) < 1e-9
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · BatchNormalization, forward (3 points)
#
# NumPy only. x has the shape `(N, C)` or `(N, H, W, C)`; gamma, beta and the moving statistics `(C,)`. In training,
# normalize with the statistics of the batch and return y and the *new* moving mean and variance. At
# inference, normalize with the moving statistics and return them as they are. Do not change what you were given.

# %% exercise="batch_norm" points=3
def batch_norm(x, gamma, beta, moving_mean, moving_variance, training, momentum=0.9, epsilon=1e-5):
    """Returns y, the new moving mean, the new moving variance."""
    ### BEGIN SOLUTION
    mean, variance = moving_mean, moving_variance
    if training:
        axes = tuple(range(x.ndim - 1))  # all but the channels
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
        moving_mean = momentum * moving_mean + (1 - momentum) * mean
        moving_variance = momentum * moving_variance + (1 - momentum) * variance
    y = gamma * (x - mean) / np.sqrt(variance + epsilon) + beta
    return y, moving_mean, moving_variance
    ### END SOLUTION


# %% check="batch_norm"
def by_keras(x, gamma, beta, moving_mean, moving_variance, training, momentum=0.9, epsilon=1e-5):
    norm = layers.BatchNormalization(momentum=momentum, epsilon=epsilon)
    norm.build(x.shape)
    norm.set_weights([gamma, beta, moving_mean, moving_variance])
    y = ops.convert_to_numpy(norm(x, training=training))
    return y, *[ops.convert_to_numpy(w) for w in norm.weights[2:]]


def case(shape, start):
    draw = np.random.default_rng(start)
    five = [draw.uniform(0.5, 2, shape[-1]) for _ in range(4)]
    return [values.astype("float32") for values in (draw.normal(2, 3, shape), *five)]


with check("batch_norm") as c:
    given_, (x_, gamma_, beta_, mean_, variance_) = case((6, 4, 5, 3), 0), case((6, 4, 5, 3), 0)
    got_ = batch_norm(*given_, training=True)
    c.that(isinstance(got_, tuple) and len(got_) == 3, hint="Return three things: y, moving mean, moving variance.")
    c.that(all(np.array_equal(a, b) for a, b in zip(given_, case((6, 4, 5, 3), 0))),
           hint="Your function changed an array that it was given. Make new ones (no +=).")  # fmt: skip
    right_ = by_keras(*given_, training=True)
    hat_ = (x_ - x_.mean((0, 1, 2))) / x_.std((0, 1, 2))
    inference_ = by_keras(*given_, training=False)
    c.close(got_[0], right_[0], atol=1e-3,
            hint="Training: minus the mean of the channel, divided by its standard deviation, times gamma, plus beta.",
            mistakes=[
                (hat_, "gamma and beta are missing."),
                (gamma_ * hat_, "beta is missing."),
                (gamma_ * (hat_ + beta_), "First times gamma, then plus beta."),
                (inference_[0], "In training use the statistics of the batch, not the moving ones."),
                (gamma_ * (x_ - x_.mean((0, 1, 2))) / x_.var((0, 1, 2)) + beta_, "Divide by the root of the variance."),
                (gamma_ * (x_ - x_.mean(0)) / x_.std(0) + beta_,
                 "One mean for each channel: over the images and over all positions."),
                (gamma_ * (x_ - x_.mean((1, 2), keepdims=True)) / x_.std((1, 2), keepdims=True) + beta_,
                 "Over all images of the batch, too: yours normalizes each image for itself."),
            ])  # fmt: skip
    for k_, (what_, old_) in enumerate([("mean", mean_), ("variance", variance_)], 1):
        batch_ = x_.mean((0, 1, 2)) if k_ == 1 else x_.var((0, 1, 2))
        c.close(got_[k_], right_[k_], atol=1e-4, hint=f"The new moving {what_}: 0.9 of the old one, 0.1 of the batch's.",
                mistakes=[
                    (0.1 * old_ + 0.9 * batch_, "Turned round: momentum is the share of the *old* value that stays."),
                    (batch_, f"That is the batch's {what_}. The moving one goes only a tenth of the way."),
                    (old_, f"The moving {what_} has not moved."),
                    (0.9 * old_ + 0.1 * np.sqrt(batch_), "Keep the variance, not the standard deviation."),
                ])  # fmt: skip
    got_ = batch_norm(*given_, training=False)
    c.close(got_[0], inference_[0], atol=1e-3, hint="Inference: use the moving mean and variance.",
            mistakes=[(right_[0], "At inference the batch must not matter: use the moving statistics.")])  # fmt: skip
    c.close(got_[1], mean_, hint="Inference changes nothing: return the moving mean as it was.")
    c.close(got_[2], variance_, hint="Inference changes nothing: return the moving variance as it was.")
    flat_ = case((50, 2), 1)
    c.close(batch_norm(*flat_, training=True)[0], by_keras(*flat_, training=True)[0], atol=1e-3,
            hint="Here x is (N, C), behind a dense layer: all axes but the last.")  # fmt: skip
### BEGIN HIDDEN TESTS
for shape_, options_ in [((3, 2, 2, 4), {"momentum": 0.5}), ((40, 3), {"epsilon": 1.0}), ((1, 9, 3, 1), {})]:
    given_ = case(shape_, 7)
    for training_ in (True, False):
        for ours_, right_ in zip(
            batch_norm(*given_, training=training_, **options_),
            by_keras(*given_, training=training_, **options_),
            strict=True,
        ):
            assert np.shape(ours_) == right_.shape and np.allclose(ours_, right_, atol=1e-3), (shape_, options_)
constant_ = batch_norm(np.full((4, 2), 3.0), *case((4, 2), 2)[1:], training=True)[0]
assert np.all(np.isfinite(constant_))
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · BatchNormalization, backward (2 points)
#
# Section 2.3 has dx for one channel. Write it for x and dy of shape `(N, H, W, C)` with gamma `(C,)`, in training mode,
# and return dx, and the gradients of gamma and beta (y = gamma · x̂ + beta: what does a small change of each do?).

# %% exercise="batch_norm_backward" points=2
def batch_norm_backward(dy, x, gamma, epsilon=1e-5):
    """Returns dx (N, H, W, C), dgamma (C,), dbeta (C,)."""
    ### BEGIN SOLUTION
    axes = (0, 1, 2)
    std = np.sqrt(x.var(axis=axes) + epsilon)
    hat = (x - x.mean(axis=axes)) / std
    dx = gamma / std * (dy - dy.mean(axis=axes) - hat * (dy * hat).mean(axis=axes))
    return dx, (dy * hat).sum(axis=axes), dy.sum(axis=axes)
    ### END SOLUTION


# %% check="batch_norm_backward"
def auto_norm_gradients(dy, x, gamma, epsilon=1e-5):
    def hat(t):
        mean, variance = ops.mean(t, (0, 1, 2)), ops.var(t, (0, 1, 2))
        return (t - mean) / ops.sqrt(variance + epsilon)

    dx = input_gradient(lambda t: ops.sum(gamma * hat(t) * dy), x)[1]
    dgamma = input_gradient(lambda g: ops.sum(g * hat(x) * dy), gamma)[1]
    return dx, dgamma, input_gradient(lambda b: ops.sum((b + 0 * x) * dy), gamma)[1]


with check("batch_norm_backward") as c:
    draw = np.random.default_rng(3)
    x_ = draw.normal(1, 2, size=(4, 3, 3, 2)).astype("float32")
    dy_, gamma_ = draw.normal(0.5, 1, size=x_.shape).astype("float32"), np.array([0.5, 2], "float32")
    dx_, dgamma_, dbeta_ = auto_norm_gradients(dy_, x_, gamma_)
    std_ = x_.std((0, 1, 2))
    hat_ = (x_ - x_.mean((0, 1, 2))) / std_
    got_ = batch_norm_backward(dy_, x_, gamma_)
    c.that(isinstance(got_, tuple) and len(got_) == 3, hint="Return three things: dx, dgamma and dbeta.")
    c.close(got_[2], dbeta_, atol=1e-3, hint="beta is added everywhere: its gradient is the sum of dy in its channel.",
            mistakes=[(dy_.mean((0, 1, 2)), "Add up over images and positions; you took the mean."),
                      (dgamma_, "dgamma and dbeta are in the wrong order.")])  # fmt: skip
    c.close(got_[1], dgamma_, atol=1e-3, hint="gamma is multiplied by the normalized x: the sum of dy · x̂.",
            mistakes=[((dy_ * hat_).mean((0, 1, 2)), "Add up over images and positions; you took the mean."),
                      ((dy_ * x_).sum((0, 1, 2)), "gamma multiplies the *normalized* x.")])  # fmt: skip
    shift_, stretch_ = dy_.mean((0, 1, 2)), hat_ * (dy_ * hat_).mean((0, 1, 2))
    c.close(got_[0], dx_, atol=1e-4, hint="dx = gamma / std · (dy − mean(dy) − x̂ · mean(dy · x̂)), for each channel.",
            mistakes=[
                (gamma_ / std_ * dy_, "The mean and the standard deviation depend on x, too: two terms are missing."),
                (gamma_ / std_ * (dy_ - shift_), "The third term is missing: the standard deviation depends on x."),
                (gamma_ / std_ * (dy_ - stretch_), "The second term is missing: the mean depends on x."),
                ((dy_ - shift_ - stretch_) / std_, "gamma is missing."),
                (gamma_ * (dy_ - shift_ - stretch_), "The division by the standard deviation is missing."),
                (gamma_ / std_**2 * (dy_ - shift_ - stretch_), "Divide by the standard deviation, not by the variance."),
            ])  # fmt: skip
### BEGIN HIDDEN TESTS
for shape_, epsilon_ in [((2, 5, 4, 3), 1e-5), ((7, 1, 1, 4), 1e-5), ((3, 4, 4, 1), 0.5)]:
    x_ = draw.normal(-1, 3, size=shape_).astype("float32")
    dy_, gamma_ = draw.normal(size=shape_).astype("float32"), draw.uniform(0.5, 2, shape_[-1]).astype("float32")
    for ours_, right_ in zip(
        batch_norm_backward(dy_, x_, gamma_, epsilon=epsilon_), auto_norm_gradients(dy_, x_, gamma_, epsilon_), strict=True
    ):
        assert np.shape(ours_) == right_.shape and np.allclose(ours_, right_, atol=1e-3), (shape_, epsilon_)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · The residual block (3 points)
#
# With `keras.layers`, write ResNet's basic block: 3x3 convolution with `strides`, BN, ReLU, 3x3 convolution, BN; add
# the shortcut; ReLU. Padding "same", no biases. The shortcut is `x` itself. Where the shape changes (a stride, or
# another number of channels), and only there, it is a 1x1 convolution with `strides` and a BN (option B), without ReLU.
# `x` is a Keras tensor, and so is what you return.

# %% exercise="residual_block" points=3
def residual_block(x, filters, strides=1):
    """ResNet's basic block with projection where the shape changes."""
    ### BEGIN SOLUTION
    y = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if strides != 1 or x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, strides=strides, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
    return layers.ReLU()(layers.Add()([x, y]))
    ### END SOLUTION


# %% check="residual_block"
def block_model(function, shape, filters, strides, **options):
    image = keras.Input(shape)
    return keras.Model(image, function(image, filters, strides=strides, **options))


def fill(model, kernels=True):
    """Weights that depend only on a weight's kind and shape; without `kernels` all convolutions are zero."""
    for weight in model.weights:
        draw = np.random.default_rng([len(weight.name), *weight.shape])
        values = draw.normal(0, 0.5, weight.shape) * (kernels or weight.name != "kernel")
        if len(weight.shape) == 1 and kernels:
            values = np.abs(values) + 4 if weight.name == "moving_variance" else values + (weight.name == "gamma")
        elif len(weight.shape) == 1:
            values = np.full(weight.shape, float(weight.name in ("gamma", "moving_variance")))
        weight.assign(values)
    return model


def run_block(model, images):
    return ops.convert_to_numpy(model(images, training=False))


draw = np.random.default_rng(0)
with check("residual_block") as c:
    images_ = draw.normal(size=(2, 8, 8, 16)).astype("float32")
    mine_ = block_model(residual_block, (8, 8, 16), 16, 1)
    c.equal(mine_.output_shape[1:], (8, 8, 16), hint="Stride 1 and as many filters as channels: the shape stays.")
    c.equal(mine_.count_params(), 4736,
            hint="Two 3x3 convolutions without bias, 16 → 16 (4,608 weights), and two BN layers (4 · 16 numbers each).",
            mistakes=[
                (4768, "Your convolutions have biases. BN's beta does their work: use_bias=False."),
                (4608, "BatchNormalization is missing after the convolutions."),
                (4672, "BN follows *each* of the two convolutions."),
                (2368, "Two convolutions, please: yours has one."),
                (5056, "The shape stays here, so the shortcut is x itself: no 1x1 convolution."),
                (4992, "The shape stays here, so the shortcut is x itself: no 1x1 convolution."),
            ])  # fmt: skip
    zero_ = run_block(fill(mine_, kernels=False), images_)
    c.close(zero_, np.maximum(images_, 0), atol=1e-3,
            hint="With all convolutions at zero, the block must put out ReLU(x + 0).",
            mistakes=[
                (0 * images_, "With all convolutions at zero nothing comes out: where is the shortcut?"),
                (images_, "The last ReLU comes after the sum: negative values of x pass through yours."),
            ])  # fmt: skip
    reference_ = fill(block_model(basic, (8, 8, 16), 16, 1, name="block"))
    c.close(run_block(fill(mine_), images_), run_block(reference_, images_), atol=2e-2, rtol=1e-3,
            hint="Right parts, other numbers. The order: convolution, BN, ReLU, convolution, BN, sum, ReLU.")
    images_ = draw.normal(size=(2, 7, 7, 16)).astype("float32")
    mine_ = block_model(residual_block, (7, 7, 16), 32, 2)
    c.equal(mine_.output_shape[1:], (4, 4, 32), hint="Stride 2 on 7x7 pixels makes 4x4, with 32 filters.",
            mistakes=[((2, 2, 32), "Only the first 3x3 convolution strides, and the shortcut.")])  # fmt: skip
    c.equal(mine_.count_params(), 14720,
            hint="16 → 32 and 32 → 32 with 3x3, 16 → 32 with 1x1, and three BN layers: 14,720 numbers.",
            mistakes=[
                (14592, "The 1x1 convolution of the shortcut has a BN, too."),
                (14816, "Your convolutions have biases: use_bias=False."),
                (14752, "The 1x1 convolution has a bias: use_bias=False."),
                (18816, "The shortcut's convolution has a 1x1 window."),
            ])  # fmt: skip
    reference_ = fill(block_model(basic, (7, 7, 16), 32, 2, name="block"))
    c.close(run_block(fill(mine_), images_), run_block(reference_, images_), atol=2e-2, rtol=1e-3,
            hint="Right parts, other numbers. The shortcut: 1x1 convolution with the stride, BN, no ReLU before the sum.")
### BEGIN HIDDEN TESTS
for shape_, filters_, strides_ in [((9, 9, 16), 16, 2), ((5, 5, 16), 24, 1), ((5, 7, 3), 3, 1)]:
    mine_ = fill(block_model(residual_block, shape_, filters_, strides_))
    reference_ = fill(block_model(basic, shape_, filters_, strides_, name="block"))
    images_ = draw.normal(size=(2, *shape_)).astype("float32")
    assert mine_.count_params() == reference_.count_params()
    ours_, right_ = run_block(mine_, images_), run_block(reference_, images_)
    assert ours_.shape == right_.shape and np.allclose(ours_, right_, atol=2e-2, rtol=1e-3), (shape_, filters_)
twice_ = block_model(lambda x, filters, strides: residual_block(residual_block(x, filters, strides), filters), (8, 8, 16), 32, 2)
assert twice_.output_shape == (None, 4, 4, 32)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · The depth experiment (3 points)
#
# Write experiment 4.1 as a function, for any depths and several seeds. `train(depth, residual, seed)` trains one
# network (`residual` is True or False) and returns its training losses, one an epoch.
# Return `{"plain": {depth: loss, …}, "residual": {…}}` where *loss* is the **median over the seeds** of the loss of the
# **last** epoch. A run that broke down ends in NaN ("not a number"): count it as infinitely bad (`np.inf`), do not
# leave it out. Train each network once.

# %% exercise="depth_experiment" points=3
def depth_experiment(train, depths, seeds):
    """Median final training loss by kind ("plain", "residual") and depth."""
    ### BEGIN SOLUTION
    result = {"plain": {}, "residual": {}}
    for kind, by_depth in result.items():
        for depth in depths:
            ends = np.array([train(depth, kind == "residual", seed)[-1] for seed in seeds], float)
            by_depth[depth] = float(np.median(np.where(np.isnan(ends), np.inf, ends)))
    return result
    ### END SOLUTION


# %% check="depth_experiment"
def pretend(calls, broken=()):
    """A `train` that trains nothing: its losses follow from depth, kind and seed."""

    def train(depth, residual, seed):
        calls.append((depth, bool(residual), seed))
        end = (0.5 if residual else 0.02 * depth) + [0.0, 0.01, 0.9, 0.03, 0.02][seed % 5]
        losses = [2.3, end / 2, end]  # the last epoch is not the best one
        return losses[:2] + [float("nan")] if (depth, residual, seed) in broken else losses

    return train


def expected(of, depths, seeds, pick_one=lambda losses: losses[-1], middle=np.median):
    kinds = {"plain": False, "residual": True}
    return {kind: {d: float(middle([pick_one(of(d, r, s)) for s in seeds])) for d in depths} for kind, r in kinds.items()}


def as_array(result, depths):
    return [[result[kind][depth] for depth in depths] for kind in ("plain", "residual")]


with check("depth_experiment") as c:
    depths_, seeds_, calls_ = (20, 32, 56), (0, 1, 2), []
    got_ = depth_experiment(pretend(calls_), depths_, seeds_)
    c.that(isinstance(got_, dict) and {*got_} == {"plain", "residual"}, hint='Return {"plain": …, "residual": …}.')
    c.that(all(isinstance(by, dict) and {*by} == {*depths_} for by in got_.values()),
           hint="Each kind has a dictionary with one entry for each depth.")  # fmt: skip
    used_ = {seed for _, _, seed in calls_}
    c.that(used_ == {*seeds_}, hint=f"Train with each of the seeds {seeds_}: yours used {sorted(used_)}.")
    free_ = pretend([])
    variants_ = {
        "That is the loss of the first epoch: the last one is asked for.": expected(free_, depths_, seeds_, lambda losses: losses[0]),
        "That is the best epoch. Take the last one: choosing the best afterwards flatters.": expected(free_, depths_, seeds_, min),
        "That is the mean: one unlucky seed moves it far. Take the median.": expected(free_, depths_, seeds_, middle=np.mean),
        "That is the best seed: take the median.": expected(free_, depths_, seeds_, middle=min),
        "That is one seed: take the median over all.": expected(free_, depths_, seeds_[:1]),
    }
    right_ = expected(free_, depths_, seeds_)
    mistakes_ = [(as_array(values, depths_), text) for text, values in variants_.items()]
    swapped_ = {"plain": right_["residual"], "residual": right_["plain"]}
    mistakes_.append((as_array(swapped_, depths_), "plain and residual are exchanged."))
    c.close(as_array(got_, depths_), as_array(right_, depths_), mistakes=mistakes_,
            hint="The last loss of each run, then the median over the seeds.")  # fmt: skip
    c.equal(len(calls_), 18, hint="Two kinds, three depths, three seeds: 18 trainings, each network once.")
    seeds_, broken_ = (0, 1, 3), [(56, False, 0), (56, False, 3)]
    got_ = depth_experiment(pretend([], broken_), (20, 56), seeds_)
    c.that(not np.isnan(got_["plain"][56]), hint="A run ended in NaN, and your median is NaN. Count it as np.inf.")
    c.close(got_["plain"][56], np.inf, mistakes=[(1.13, "You left out the runs that broke down. Count them as np.inf.")],
            hint="Two of three runs broke down: the median is infinite.")  # fmt: skip
### BEGIN HIDDEN TESTS
calls_ = []
one_ = depth_experiment(pretend(calls_, [(8, True, 4)]), [8], [0, 1, 2, 3, 4])
assert abs(one_["plain"][8] - 0.18) < 1e-6 and abs(one_["residual"][8] - 0.53) < 1e-6
assert len(calls_) == 10 and len({*calls_}) == 10
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · Explain what you saw (2 points, read by a teacher)
#
# A friend says: "The deep plain network has too many weights for so few images. It overfits, and the shortcuts help
# because they make the network simpler." Name two results of this lesson that speak against it. What do the shortcuts
# change instead? Five sentences are enough.

# %% [markdown] exercise="explain_degradation" points=2
# Overfitting means a low loss on the training images and a high one on others. In 4.1 the deep plain network has the
# higher loss on the *training* images themselves, so it does not overfit: it underfits. Second, the residual twin has
# exactly the same number of weights (option A has none) and even the same first values, so it is not simpler, and it
# learns well. The constructed network of 4.2 shows that the deep plain network could be as good as the shallow one: the
# weights exist, and gradient descent does not find them.
#
# The shortcuts change the search. With x + f(x) each block passes x on and adds to it. So the signal arrives at the
# end, the gradient differs far less from layer to layer (4.3), and a block only has to learn what to change.

# %% [markdown]
# **To try, without a score.** Give the deep plain network a tenth of the rate, or three times the epochs. Put the
# network of 4.2 through one epoch of training: does it stay as good? Build a small network from `basic` blocks and give
# every second one `shortcut=None`.
#
# ## 6 · Wrap-up
#
# Your guesses first.

# %% trained
prediction("Which plain network has the lower training loss?", my_guess_training,
           "shallow" if plain_gap > 0 else "deep",
           explain=f"{final[plain_shallow]:.2f} with {SHALLOW} layers, {final[plain_deep]:.2f} with {DEEP}.")
prediction("Why is the deep one worse?", my_guess_reason, "c",
           explain="It is worse in training, so it does not overfit; its gradient is not small; good weights exist (4.2).")
prediction("The gradient of its first layers, before training", my_guess_gradient,
           "much larger" if gradient_ratio > 3 else "much smaller" if gradient_ratio < 1 / 3 else "about equal",
           explain=f"{gradient_ratio:.3g} times that of the last ones: BN makes it grow on its way back.")
prediction("How many times fewer weights has the bottleneck?", my_guess_saving,
           round(weights_of["two 3x3, 256 channels"] / weights_of["1x1, 3x3, 1x1: 256-64-64-256 (bottleneck)"], 1),
           tolerance=1, explain="1,179,648 against 69,632.")  # fmt: skip

# %% [markdown]
# The claims, some of the lectures and some our own, and what we measured:

# %% trained
findings_table()

# %% [markdown]
# The last column is the full profile, run once on photographs. There the deeper residual network is 0.47 worse than the
# shallow one, so the second claim fails there; the plain one is 1.04 worse.
#
# **In short.** A deep plain network gets worse in training, although good weights exist for it: gradient descent does
# not find them. BatchNormalization keeps signals in range and gradients from vanishing, and it is not enough. x + f(x)
# makes doing nothing easy, carries the signal forward and the gradient back, and lets each block learn a change. On
# ImageNet depth then paid: 152 layers, at fewer multiply-adds than VGG16. In our short runs it did not.
#
# **Read more**
# * K. He, X. Zhang, S. Ren, J. Sun, *Deep Residual Learning for Image Recognition*, 2015,
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385): figure 1 is our 4.1, table 1 our 2.4.
# * S. Ioffe, C. Szegedy, *Batch Normalization*, 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# * A. Veit, M. Wilber, S. Belongie, *Residual Networks Behave Like Ensembles of Relatively Shallow Networks*, 2016,
#   [arXiv:1605.06431](https://arxiv.org/abs/1605.06431): blocks taken out, as in 4.4.
# * G. Yang et al., *A Mean Field Theory of Batch Normalization*, 2019,
#   [arXiv:1902.08129](https://arxiv.org/abs/1902.08129): why gradients explode in deep plain networks with BN.
#
# **Next**: depth is one way to spend more computation; more filters and larger images are others. EfficientNet (lesson
# 16) asks how to share a budget among the three.
