# %% [markdown]
# # 1 · Convolution
#
# *Lecture slides, sections 1 and 2 (architecture overview, ConvNet layers); lecture 6 on converting FC to CONV layers.*
#
# **Question.** A photograph is hundreds of thousands of numbers, and a neuron that looks at all of them needs a weight
# for each. A convolutional neuron looks through a small window, and all neurons of one filter share their weights.
# What does such a layer compute, how large is its output, how does the gradient flow back through it?
# And is it true that what was learned at one place of an image works at every other place?
#
# **Know first**: NumPy arrays, the chain rule, what a fully connected layer and gradient descent are.
# Lesson 0 shows how exercises are checked.

# %% setup
import course_lib

course_lib.start()

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops
from matplotlib.colors import ListedColormap
from numpy.lib.stride_tricks import sliding_window_view

from course_lib import accounting, claims, datasets, pick, plotting, seed, training
from course_lib.checks import check, finding, findings_table, measured, prediction
from course_lib.plotting import COLORS
from course_lib.tables import Table
from course_lib.visualization import feature_maps, input_gradient

# %% [markdown]
# ## 1 · Predict
#
# Guess before you run anything: write your guess in place of `None`. A wrong guess costs nothing and helps you
# remember; you may leave one out, too. The wrap-up compares.
#
# **The slides ask**: why do regular networks, in which every neuron sees the whole image, not scale to full images?
# And then: an image of 227x227x3 meets K = 96 filters of size F = 11 with stride S = 4 and no padding (P = 0).

# %%
my_guess_scale = None  # "a": too many neurons, "b": too many weights, "c": the gradient vanishes
my_guess_volume = None  # the size of the output volume, such as (100, 100, 3)
my_guess_neurons = None  # the number of neurons (numbers) in that volume
my_guess_unshared = None  # weights and biases, if every neuron has its own
my_guess_shared = None  # weights and biases, if all neurons of one filter share theirs

# %% [markdown]
# **The slides ask**: how much of its input does a pooling layer keep, with 2x2 windows and stride 2?
# And why are max pooling windows larger than 3 so rare?

# %%
my_guess_kept = None  # percent of the activations
my_guess_large_windows = None  # "a": too many weights, "b": too slow, "c": they throw away too much

# %% [markdown]
# **Our own experiment** (section 4): three small networks learn to read digits that always stand at the left edge of
# an image. Then the digits move to the right, where no digit stood in training. *full*: every neuron sees the whole
# image. *local*: every neuron sees a small window and has weights of its own. *shared*: small windows, shared weights.

# %%
my_guess_moved = None  # who still reads the moved digits? "full", "local", "shared", "all" or "none"

# %% [markdown]
# ## 2 · Build it
#
# ### 2.1 Why not look at everything?
#
# A convolutional network (ConvNet) is a neural network like any other: dot products, activation functions, a loss,
# gradient descent. What changes is one assumption: the input is an image. So let us see what goes wrong without it.
#
# In a regular network each neuron of the first layer is connected to every number of the image.
# A CIFAR-10 image has 32x32 pixels of 3 colours: one neuron needs 32·32·3 weights. How does that grow?

# %% alt="Line chart with two logarithmic axes. The weights of a neuron that sees the whole image grow from 192 for a side of 8 pixels to 786,432 for 512 pixels; a layer of 1,000 such neurons lies a thousand times higher. A neuron behind a 5x5 window needs 75 weights at every size."
sides = np.array([8, 16, 32, 64, 128, 224, 512])
whole_image, window = sides**2 * 3, np.full(len(sides), 5 * 5 * 3)

fig, ax = plt.subplots()
ax.loglog(sides, 1000 * whole_image, "^-", color=COLORS["purple"], label="1,000 neurons, whole image")
ax.loglog(sides, whole_image, "o-", color=COLORS["vermillion"], label="one neuron, whole image")
ax.loglog(sides, window, "s-", color=COLORS["blue"], label="one neuron behind a 5x5 window")
for side in (32, 224):
    weights = side * side * 3
    ax.annotate(f"{side}x{side}x3: {weights:,}", (side, weights), (8, -12), textcoords="offset points")
ax.set(xlabel="side of the image (pixels)", ylabel="weights", title="A full connection does not scale")
ax.set_xticks(sides, sides)
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# Twice the side, four times the weights, and a layer has many neurons. That answers the slide's question why regular
# networks do not scale to images: the weights cost memory and time, and with far more weights than training images
# the network can learn its examples by heart (it **overfits**).
#
# Two ideas make the blue line possible. Look at seven inputs and five neurons:

# %% alt="Three drawings of five neurons above seven inputs. Full: each neuron is joined to all seven inputs, 35 weights in as many shades. Local: each neuron is joined to the three inputs below it, 15 weights in as many shades. Shared: the same local wiring, but only three colours: the same three weights at every place."
def draw_wiring(ax, title, weight):
    """7 inputs, 5 neurons. `weight(neuron, input)` is the number of the weight on a line, None: no line."""
    lines = {(n, i): weight(n, i) for n in range(5) for i in range(7) if weight(n, i) is not None}
    count = len(set(lines.values()))
    shades = [COLORS["blue"], COLORS["vermillion"], COLORS["green"]]
    if count > 3:
        shades = plt.cm.viridis(np.linspace(0, 1, count))
    for (n, i), k in lines.items():
        ax.plot([i, n + 1], [0, 1], color=shades[k], lw=1.6, zorder=1)
    ax.scatter(range(7), [0] * 7, s=110, color="#D9D9D9", zorder=2)
    ax.scatter(range(1, 6), [1] * 5, s=110, color="#262626", zorder=2)
    ax.set_title(f"{title}: {count} weights")
    ax.axis("off")


fig, axes = plt.subplots(1, 3, figsize=(9, 2.2))
draw_wiring(axes[0], "full", lambda n, i: 7 * n + i)
draw_wiring(axes[1], "local", lambda n, i: 3 * n + i - n if 0 <= i - n <= 2 else None)
draw_wiring(axes[2], "shared", lambda n, i: i - n if 0 <= i - n <= 2 else None)
plt.show()

# %% [markdown]
# * **Local connection**: a neuron sees only a window. The window's size F is its *receptive field*.
# * **Shared weights**: all neurons use the same weights (the same colour is the same number). One set of weights is
#   called a **filter** (or kernel), and what it puts out over the whole image is an **activation map**.
#
# The sharing rests on a guess about images: *a feature that is useful at one place is useful at another place too*.
# Section 4 puts this guess to the test.
#
# An image is a **volume**: height x width x depth. So is what a layer puts out: its neurons stand in height and width
# like the places they look at, and in depth one behind the other, a slice for each filter. A window is small in height
# and width, but always goes through the **full depth**. Keras counts the weights of one 5x5 filter on 32x32x3:

# %%
one_filter = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(1, 5)])
kernel, bias = one_filter.layers[0].get_weights()
print("filter", kernel.shape, "=", kernel.size, "weights, and", bias.size, "bias")

# %% [markdown]
# ### 2.2 Slide a window: convolution as two loops
#
# At each place the neuron computes what every neuron computes: a dot product of weights and inputs, plus a bias.
# Here with one channel, a 3x3 filter and no bias, at the eighth of nine places:

# %% alt="A 5x5 image with a framed 3x3 window, a 3x3 kernel, and the 3x3 output with the framed number that belongs to the window; below, the nine products and their sum."
draw = np.random.default_rng(4)
tiny, tiny_filter = draw.integers(0, 4, size=(5, 5)), draw.integers(-1, 2, size=(3, 3))
plotting.plot_convolution(tiny, tiny_filter, position=(2, 1))
plt.show()

# %% [markdown]
# So the whole layer is two loops over places. With depth and several filters, `tensordot(..., 3)` multiplies the window
# with each filter entry by entry and adds everything up.

# %%
def convolve_by_loops(x, w, b):
    """x: image (H, W, C). w: K filters (F, F, C, K). b: biases (K,). Stride 1, no padding."""
    size = w.shape[0]
    height, width = x.shape[0] - size + 1, x.shape[1] - size + 1
    y = np.empty((height, width, w.shape[3]))
    for row in range(height):
        for column in range(width):
            window = x[row : row + size, column : column + size]  # (F, F, C): the full depth
            y[row, column] = np.tensordot(window, w, 3) + b
    return y


rng = np.random.default_rng(1)
x = rng.normal(size=(7, 7, 3))
w = rng.normal(size=(5, 5, 3, 4))
b = rng.normal(size=4)
print("image", x.shape, "and 4 filters", w.shape[:3], "give a volume", convolve_by_loops(x, w, b).shape)

# %% [markdown]
# ### 2.3 The same as one matrix product
#
# Loops in Python are slow. Write each window as one row of a matrix, each filter as one column of another: then all
# dot products are **one matrix product**, which computers do very fast. The trick is called *im2col*.

# %%
def windows_as_rows(x, size):
    """Every window of the image (H, W, C) as one row: (places, F·F·C)."""
    windows = sliding_window_view(x, (size, size), axis=(0, 1))  # (H', W', C, F, F)
    return windows.transpose(0, 1, 3, 4, 2).reshape(-1, size * size * x.shape[2])


def convolve_by_matrix(x, w, b):
    size, filters = w.shape[0], w.shape[3]
    y = windows_as_rows(x, size) @ w.reshape(-1, filters) + b
    return y.reshape(x.shape[0] - size + 1, x.shape[1] - size + 1, filters)


# %% alt="Three matrices as coloured squares: nine windows as rows of 75 numbers, times four filters as columns of 75 numbers, gives nine places by four filters."
rows, columns = windows_as_rows(x, 5), w.reshape(-1, 4)
matrices = {
    "9 windows x 75 numbers": rows,
    "75 numbers x 4 filters": columns,
    "9 places x 4 filters": rows @ columns,
}
fig, axes = plt.subplots(1, 3, figsize=(9, 2.9), width_ratios=[4.6, 1.6, 1.6])
for ax, (title, matrix), sign in zip(axes, matrices.items(), ["", "·  ", "=  "]):
    ax.imshow(matrix, aspect="auto", cmap="RdBu_r", vmin=-np.abs(matrix).max(), vmax=np.abs(matrix).max())
    ax.set_title(title, fontsize=10, fontweight="normal")
    ax.set_ylabel(sign, fontsize=18, rotation=0, va="center", ha="right")
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# (Red: positive numbers, blue: negative ones.) And Keras? Give its `Conv2D` the same weights, and compare all three:

# %%
conv = layers.Conv2D(4, 5)
conv.build((None, 7, 7, 3))
conv.set_weights([w, b])
by_keras = ops.convert_to_numpy(conv(x[None]))[0]  # [None] makes a batch of one image

same = {"matrix product": convolve_by_matrix(x, w, b), "keras Conv2D": by_keras}
for name, y in same.items():
    print(f"loops = {name}:", np.allclose(convolve_by_loops(x, w, b), y, atol=1e-5))

# %% [markdown]
# One word of warning about the name. In mathematics, a *convolution* turns the filter by 180 degrees before it slides;
# without the turn it is called *correlation*. Every deep learning library computes the correlation and calls it
# convolution. A learned filter does not mind, but the turn comes back in the backward pass (2.9).
#
# ### 2.4 What filters do to a photograph
#
# Learning finds the weights. But some filters are so simple that we can write them by hand: the mean of a window
# blurs, the difference of its two sides finds edges. The last one shows why a filter goes through the full depth: it
# adds red and green, which makes yellow, and takes away blue.

# %%
difference = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
by_hand = {
    "blur: the mean of 9x9": np.full((9, 9), 1 / 81),
    "left-right edges": difference,
    "top-bottom edges": difference.T,
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
}
yellow = np.full((5, 5, 3), 1 / 25) * [0.5, 0.5, -1]  # red, green, blue


def apply(image, kernel):
    """One filter (F, F, C) over one image (H, W, C)."""
    y = ops.conv(image[None].astype("float32"), kernel[..., None].astype("float32"))
    return ops.convert_to_numpy(y)[0, :, :, 0]


# %% alt="Six pictures of a temple with three curved roofs. The photograph; blurred; its left-right edges, where columns and the outline stand out in black and white on grey; its top-bottom edges, where roofs and railings stand out; sharpened; and a map that is bright on the orange roof tiles and dark in the sky."
photo = datasets.photographs()["china"]  # (427, 640, 3)
gray = photo.mean(axis=2, keepdims=True)  # (427, 640, 1)
part = np.s_[70:290, 50:330]

pictures = {"the photograph": photo[part]}
pictures |= {name: apply(gray[part], kernel[..., None]) for name, kernel in by_hand.items()}
pictures["yellow minus blue"] = apply(photo[part], yellow)

fig, axes = plt.subplots(2, 3, figsize=(8, 4.6))
for ax, (name, picture) in zip(axes.flat, pictures.items()):
    low, high = {"edges": (-0.5, 0.5), "blue": (-0.1, 0.3)}.get(name.split()[-1], (0, 1))
    ax.imshow(picture, cmap="gray", vmin=low, vmax=high)
    ax.set_title(name)
    ax.axis("off")
plt.show()

# %% [markdown]
# ### 2.5 The size of the output
#
# How many places are there for a window of F pixels on a row of W pixels? With P zeros added on both sides the row has
# W + 2P pixels, so the window can start at 0, 1, … up to W + 2P − F. If it moves S pixels at a time (the **stride**),
# the number of places is
#
# **(W − F + 2P) / S + 1**
#
# and the depth of the output is the number of filters K. Three drawings with W = 5 and F = 3; the hatched border is the
# **padding**, P = 1. With stride 1 the output has the size of the input, as on the slide. Stride 2 takes every second
# place. **Dilation** 2 leaves a gap of one pixel between the weights: the same nine weights look at 5x5 pixels.

# %% alt="Three drawings of a 5x5 input with a border of zeros, a window, and the output. Stride 1: output 5x5. Stride 2: output 3x3. Dilation 2: the nine weights are spread over 5x5 pixels, output 3x3."
fig, axes = plt.subplots(3, 1, figsize=(7.5, 10))
for ax, options in zip(axes, ({}, {"stride": 2}, {"dilation": 2})):
    plotting.plot_convolution(tiny, tiny_filter, position=(1, 2), padding=1, ax=ax, **options)
plt.show()

# %% [markdown]
# A filter of size F with dilation D spans D·(F − 1) + 1 pixels; put that number in the place of F in the formula.
# Keras agrees:

# %%
rows = []
for dilation in (1, 2, 4):
    layer = layers.Conv2D(1, 3, dilation_rate=dilation)
    output = layer(keras.Input((32, 32, 1))).shape[1]
    span = dilation * (3 - 1) + 1
    rows.append({"dilation": dilation, "spans": span, "32 - span + 1": 32 - span + 1, "Keras": output,
                 "weights": layer.count_params() - 1})  # fmt: skip
Table(rows)

# %% [markdown]
# #### When it does not fit
#
# The photograph is 427 pixels high. Windows of 16x16 with stride 16 fit (427 − 16)/16 + 1 = 26.7 times: not a whole
# number. The slide calls such a setting invalid and names what a library could do: **raise** an error, **pad** with
# zeros, or **crop** what is left over. All three exist. NumPy raises, Keras crops with `"valid"` and pads with `"same"`:

# %%
try:
    gray.reshape(427 // 16, 16, 40, 16).mean(axis=(1, 3))  # cut into 16x16 tiles, then average each tile
except ValueError as error:
    print("raise:", error)

cropped = ops.average_pool(gray[None], 16, 16, padding="valid")
padded = ops.average_pool(gray[None], 16, 16, padding="same")
print("crop: ", cropped.shape[1], "rows of windows")
print("pad:  ", padded.shape[1], "rows of windows")

# %% [markdown]
# Cropping happens without a word. Which pixels does nobody see? Ask the gradient: a pixel that no window reads cannot
# change any output, so its gradient is zero.

# %% alt="The lower edge of the temple photograph, twice. Crop: the last 11 rows of pixels are marked in orange, no window reads them. Pad: three black rows of zeros are added below the photograph."
def sum_of_means(image):
    return ops.sum(ops.average_pool(image, 16, 16, padding="valid"))


_, reads = input_gradient(sum_of_means, gray[None])
unread = reads[0, :, :, 0] == 0
lost, extra = unread[:, 0].sum(), padded.shape[1] * 16 - 427
below = extra - extra // 2

fig, axes = plt.subplots(1, 2, figsize=(9, 2.2))
axes[0].imshow(np.where(unread[:, :, None], [0.9, 0.62, 0], photo)[360:, 150:400])
axes[0].set_title(f"crop: no window reads the last {lost} rows")
axes[1].imshow(np.pad(photo, ((0, below), (0, 0), (0, 0)))[360:, 150:400])
axes[1].set_title(f"pad: {extra} rows of zeros, {below} of them below")
for ax in axes:
    ax.axis("off")
plt.show()

# %% [markdown]
# (A convolution reads such zeros. Keras' average pooling leaves them out of the mean, and max pooling never prefers
# them: there padding only adds windows.)
#
# Famous networks live with sizes that do not fit. ResNet and GoogLeNet begin with 7x7 filters, stride 2, padding 3 on
# 224 pixels, and AlexNet's paper prints an input of 224 for 11x11 filters with stride 4. Neither fits:

# %%
def three_answers(name, w, f, s, p):
    exact = (w - f + 2 * p) / s + 1
    missing = -(w - f + 2 * p) % s  # rows of zeros that would make it fit
    crop, pad = layers.ZeroPadding2D(p), layers.ZeroPadding2D(((p, p + missing), (p, p + missing)))
    image, conv = keras.Input((w, w, 3)), layers.Conv2D(1, f, strides=s)  # Conv2D is "valid": it crops
    return {
        "first layer": name,
        "(W-F+2P)/S+1": exact,
        "raise": "error" if missing else "fits",
        "crop": conv(crop(image)).shape[1],
        "pad": conv(pad(image)).shape[1],
    }


Table([
    three_answers("AlexNet as printed: 224, F=11, S=4, P=0", 224, 11, 4, 0),
    three_answers("AlexNet as it works: 227, F=11, S=4, P=0", 227, 11, 4, 0),
    three_answers("ResNet: 224, F=7, S=2, P=3", 224, 7, 2, 3),
])  # fmt: skip

# %% [markdown]
# So "invalid" is too strict: ResNet uses 112, the cropped 112.5. One more trap: Keras' `"same"` does not follow a fixed
# P. It aims at the output size W/S, rounded up, and adds as many zeros as that needs; an odd one goes to the right and
# to the bottom. Where the exact numbers of a paper matter, write the zeros yourself with `ZeroPadding2D`.
#
# ### 2.6 What sharing saves
#
# Now the slide's four questions about AlexNet's first layer: 227x227x3, F = 11, S = 4, P = 0, K = 96.

# %% alt="Bar chart with a logarithmic axis. Weights of AlexNet's first layer: fully connected 44.9 thousand million, local windows with own weights 105.7 million, local windows with shared weights 34,944."
image = keras.Input((227, 227, 3))
conv1 = layers.Conv2D(96, 11, strides=4)
volume = conv1(image).shape[1:]

neurons = int(np.prod(volume))
per_neuron = 11 * 11 * 3 + 1  # weights and a bias
unshared, shared = neurons * per_neuron, conv1.count_params()
full = neurons * (227 * 227 * 3 + 1)
print("volume", volume, "· neurons", f"{neurons:,}")
print(f"weights and biases: {unshared:,} without sharing, {shared:,} with sharing")
print(f"full / local = {full / unshared:,.0f}, local / shared = {unshared / shared:,.0f}")

fig, ax = plt.subplots(figsize=(7.5, 2.2))
counts = {"shared": shared, "local": unshared, "full": full}
bars = ax.barh(counts.keys(), counts.values(), color=[COLORS[c] for c in ("blue", "green", "vermillion")])
ax.bar_label(bars, [f" {count:,}" for count in counts.values()])
ax.set(xscale="log", xlim=(1e3, 1e13), xlabel="weights and biases",
       title="The first layer of AlexNet, wired in three ways")  # fmt: skip
ax.grid(False)
plt.show()

# %% [markdown]
# Looking through windows divides the number by 425, sharing by another 3,025: that is 55·55, the number of places, each
# of which had its own copy. In training every place still computes a gradient for its copy; they are added up and
# change the one set of weights.
#
# **A CONV layer in four lines.** It takes a volume W1 x H1 x D1. You choose four numbers: how many filters K, their
# size F, the stride S, the padding P. It gives W2 x H2 x K with W2 = (W1 − F + 2P)/S + 1, and H2 likewise.
# It has F·F·D1·K weights and K biases, **whatever the size of the image**.
#
# ### 2.7 Pooling
#
# A pooling layer makes a volume smaller in height and width, so that later layers have less to compute. A later FC
# layer needs fewer weights, too (in 2.8: 30,730 parameters, without pooling 122,890); a later CONV layer needs as many
# as before. Fewer weights leave less room to learn the examples by heart: that is what the slide means by *control
# overfitting*. The pooling layer slides a window over each depth slice by itself, and keeps one number of each window:
# the largest (**max**), the mean (**average**), or the root of the sum of squares (**L2**). You choose F and S; the
# output is (W − F)/S + 1 wide, its depth is that of the input, and there is nothing to train. 2x2 windows with stride 2:

# %% alt="Two grids: a 4x4 input in four coloured 2x2 blocks, and the 2x2 result of max pooling, 6 8 3 4, each number in the colour of its block."
square = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]], "float32")
plotting.plot_pooling(square, 2)
plt.show()

# %%
volume = square[None, :, :, None]
kinds = {
    "max": ops.max_pool(volume, 2, 2),
    "average": ops.average_pool(volume, 2, 2),
    "L2": ops.sqrt(4 * ops.average_pool(volume**2, 2, 2)),
}
for name, numbers in kinds.items():
    print(f"{name:8}", np.round(np.array(numbers, float)[0, :, :, 0], 2).tolist())

# %% [markdown]
# Four numbers come in, one goes out: 2x2 windows with stride 2 keep 25 % and discard 75 %. And larger windows, with a
# stride of their own size?

# %% alt="The temple roof after max pooling with windows of 2, 3, 5 and 8 pixels. At 2 all details are there, at 3 most of them, at 5 the columns melt into each other, at 8 only coarse blocks are left."
roof = gray[90:330, 60:380]
fig, axes = plt.subplots(1, 4, figsize=(9, 2.2))
for ax, size in zip(axes, (2, 3, 5, 8)):
    pooled = np.array(ops.max_pool(roof[None], size, size))[0, :, :, 0]
    ax.imshow(pooled, cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"{size}x{size} keeps {pooled.size / roof.size:.1%}")
    ax.axis("off")
plt.show()

# %% [markdown]
# That answers the slide's second question on pooling. Windows larger than 3 cost no weights and little time, but they
# throw away too much at once: at 5x5 only 4 % of the numbers go on, and no later layer can bring the rest back.
# (3x3 windows are mostly used with stride 2. Then they overlap, and keep about a quarter, like 2x2.)
#
# Which kind is best? Average pooling came first; the slides say that max pooling works better in practice. One picture
# cannot decide that; lessons 2 and 3 measure it.
#
# ### 2.8 A whole small network
#
# The slides' example: INPUT 32x32x3, CONV with 12 filters, ReLU, POOL, FC with 10 class scores. The image is a real
# one: the temple, resized. ReLU sets negative numbers to zero, one by one.

# %% alt="The example network drawn to scale as volumes from left to right: input 32x32x3 with the small temple on its face, convolution 32x32x12, pooling 16x16x12, and a bar of 10 class scores."
net = keras.Sequential([
    keras.Input((32, 32, 3), name="input"),
    layers.Conv2D(12, 5, padding="same", name="conv"),
    layers.ReLU(name="relu"),
    layers.MaxPooling2D(2, name="pool"),
    layers.Flatten(name="flatten"),
    layers.Dense(10, name="fc"),
], name="example")  # fmt: skip
thumbnail = datasets.resize(photo[None, :, :427], 32)[0]
plotting.plot_architecture(net, image=thumbnail)
plt.show()

# %%
accounting.cost_table(net)

# %% [markdown]
# *field* says how many pixels of the image one number sees along each side, *stride* how far apart the fields of two
# neighbours lie (lesson 2).
#
# Which layers have parameters? Only CONV and FC: these are trained. ReLU and POOL are fixed functions.
# And look where the parameters are: almost all of them in the one fully connected layer.
#
# (Keras flattens the 16x16x12 volume to a row of 3,072 numbers before FC. The slides write the class scores as a
# volume too, 1x1x10: section 2.10 shows that this is more than a way of writing.)

# %% [markdown]
# ### 2.9 The way back: gradients of a convolution
#
# Training needs two gradients from this layer: of the loss with respect to its **weights** (to change them) and with
# respect to its **input** (to hand on to the layer before). Take the smallest case, one dimension: five inputs, three
# weights, three outputs.
#
#     y0 = w0·x0 + w1·x1 + w2·x2
#     y1 =         w0·x1 + w1·x2 + w2·x3
#     y2 =                 w0·x2 + w1·x3 + w2·x4
#
# The layer above sends back one number for each output: dy0, dy1, dy2. Read the equations by columns:
#
# * **Weights.** w1 meets x1, x2, x3, so dw1 = dy0·x1 + dy1·x2 + dy2·x3. That is dy slid over x, *without* a turn: a
#   correlation. All places add up, because all places share the weight.
# * **Input.** x2 meets w2, w1, w0, so dx2 = dy0·w2 + dy1·w1 + dy2·w0. The weights come in **reverse order**: the
#   flipped filter slides over dy. At the borders it hangs over the edge, so dy gets zeros around it: a *full*
#   convolution.

# %%
x1, w1, dy1 = np.array([2.0, 0, 1, 3, 1]), np.array([1.0, -1, 2]), np.array([1.0, 2, -1])

dw1 = np.array([np.dot(dy1, x1[k : k + 3]) for k in range(3)])  # dy slides over x
dx1 = np.array([np.dot(np.pad(dy1, 2)[i : i + 3], w1[::-1]) for i in range(5)])  # flipped w over dy


def loss1(x, w):
    """Each output times the number that comes back for it: its gradients are what we want."""
    return ops.sum(ops.conv(x[None, :, None], w[:, None, None])[0, :, 0] * dy1)


print("dw: by hand", dw1, "autodiff", input_gradient(lambda w: loss1(x1, w), w1)[1])
print("dx: by hand", dx1, "autodiff", input_gradient(lambda x: loss1(x, w1), x1)[1])

# %% [markdown]
# The same as a picture. A convolution is a matrix product in a second way, with the weights in the matrix: row after
# row the same three numbers, one step further to the right. Backpropagation multiplies by the **transposed** matrix, and
# there each row holds the same three numbers in reverse.

# %% alt="Left: a 3x5 matrix with w0 w1 w2 in each row, shifted by one step from row to row. Right: its transpose, 5x3; its middle row reads w2 w1 w0."
band = np.array([[i - n if 0 <= i - n <= 2 else -1 for i in range(5)] for n in range(3)])
palette = ListedColormap(["#F2F2F2", COLORS["sky"], COLORS["orange"], COLORS["green"]])
fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.9))
titles = ["forward: y = T · x", "backward: dx = Tᵀ · dy"]
for ax, title, matrix in zip(axes, titles, (band, band.T)):
    ax.imshow(matrix, cmap=palette, vmin=-1, vmax=2)
    for (row, column), k in np.ndenumerate(matrix):
        ax.text(column, row, f"w{k}" if k >= 0 else "0", ha="center", va="center")
    ax.set_title(title)
    ax.axis("off")
plt.show()

# %% [markdown]
# In two dimensions, with depth and several filters, nothing changes but the number of axes. Here x is (H, W, C),
# w is (F, F, C, K) and dy is (H', W', K).

# %%
def gradients(x, w, dy):
    """Gradients of a stride-1 convolution without padding: for x, for w and for the biases."""
    size, filters = w.shape[0], w.shape[3]
    dw = windows_as_rows(x, size).T @ dy.reshape(-1, filters)  # windows times dy, summed over places
    border = ((size - 1, size - 1), (size - 1, size - 1), (0, 0))
    flipped = w[::-1, ::-1].transpose(0, 1, 3, 2)  # turned by 180 degrees; K and C change places
    dx = windows_as_rows(np.pad(dy, border), size) @ flipped.reshape(-1, x.shape[2])
    return dx.reshape(x.shape), dw.reshape(w.shape), dy.sum(axis=(0, 1))


dy = rng.normal(size=(3, 3, 4))
dx, dw, db = gradients(x, w, dy)


def loss(x, w, b):
    return ops.sum((ops.conv(x[None], w) + b)[0] * dy)


for name, by_hand, auto in [
    ("input  ", dx, input_gradient(lambda t: loss(t, w, b), x)[1]),
    ("weights", dw, input_gradient(lambda t: loss(x, t, b), w)[1]),
    ("biases ", db, input_gradient(lambda t: loss(x, w, t), b)[1]),
]:
    print(name, by_hand.shape, "equals autodiff:", np.allclose(by_hand, auto, atol=1e-5))

# %% [markdown]
# **Check the slide.** It says that both backward passes are convolutions with flipped filters. For the input that is
# right. For the weights it is a small slip, easily made, since the two words *convolution* and *correlation* are mixed
# so often: no filter takes part, and nothing is flipped. Two pictures show it.
#
# First the input. The filter has the shape of the letter F. Each output neuron sends its gradient back through its own
# window, like a rubber stamp; to get this by sliding, the filter must be flipped first.

# %% alt="Four pictures: a filter in the shape of the letter F; an output gradient with three dots; the true input gradient from autodiff, three upright letters F; the filter slid over the dots without a flip, three letters F turned by 180 degrees."
letter = np.zeros((7, 7), "float32")
letter[1:6, 2] = letter[1, 2:6] = letter[3, 2:5] = 1
dots = np.zeros((20, 20), "float32")
dots[3, 3] = dots[6, 13] = dots[14, 8] = 1


def dot_loss(x, w, dy):
    """One image, one channel, one filter: the output times the gradient that comes back."""
    return ops.sum(ops.conv(x[None, :, :, None], w[:, :, None, None])[0, :, :, 0] * dy)


def four_pictures(pictures):
    fig, axes = plt.subplots(1, 4, figsize=(9, 2.5))
    for ax, (name, picture) in zip(axes, pictures.items()):
        ax.imshow(picture, cmap="gray")
        ax.set_title(name)
        ax.axis("off")
    plt.show()


four_pictures({
    "filter w": letter,
    "dy": dots,
    "true dx": input_gradient(lambda t: dot_loss(t, letter, dots), np.zeros((26, 26), "float32"))[1],
    "w slid without a flip": apply(np.pad(dots, 6)[..., None], letter[..., None]),
})  # fmt: skip

# %% [markdown]
# Now the weights. The one neuron with a gradient reports what it saw: its window of the image, as it is. With gradients
# at many places the windows add up.

# %% alt="Four pictures: a part of the temple roof as input; an output gradient with one dot; the true weight gradient from autodiff, an upright piece of the roof; and what a flip would give, the same piece turned upside down."
view = gray[60:180, 120:240, 0]  # 120x120
dot = np.zeros((60, 60), "float32")
dot[10, 30] = 1  # a filter of 61x61 at row 10, column 30
dw_view = input_gradient(lambda t: dot_loss(view, t, dot), np.zeros((61, 61), "float32"))[1]

four_pictures({"input x": view, "dy": dot, "true dw": dw_view, "with a flip": dw_view[::-1, ::-1]})

# %% [markdown]
# **Pooling** sends gradients back too. The maximum of a window depends on one number only, the winner: the gradient goes
# to the winner, and the others get zero. The forward pass therefore notes *where* the winner was; these notes are
# called **switches**. Average pooling gives each of the four an equal share.

# %% alt="Max pooling: the 4x4 input with a ring around the winner of each 2x2 block, the output, the gradient 10 20 30 40 that comes back, and the gradient of the input: each number at its winner's place, zeros elsewhere. | Average pooling: the same gradient, a quarter of it at each of the four places of its block."
back = np.array([[10, 20], [30, 40]], "float32")
for kind, pool in (("max", ops.max_pool), ("average", ops.average_pool)):
    plotting.plot_pooling(square, 2, kind=kind, gradient=back)
    plt.show()
    auto = input_gradient(lambda t, pool=pool: ops.sum(pool(t, 2, 2)[0, :, :, 0] * back), volume)[1]
    print(f"autodiff, {kind}:", *auto[0, :, :, 0].tolist())

# %% [markdown]
# ### 2.10 FC as CONV, and CONV as FC
#
# Both layers compute dot products, so each can be written as the other.
#
# **CONV as FC.** The matrix of 2.9 does it: an FC layer whose weights are mostly zero, with the same numbers in every
# row. For a 3x3 filter on a 6x6 image:

# %% alt="The 16x36 matrix of a convolution of a 6x6 image with a 3x3 filter. Each row has nine coloured entries in three groups of three, one step further to the right in the next row; everything else is empty."
weights = np.arange(1.0, 10).reshape(3, 3, 1)
matrix = np.array([apply(pixel.reshape(6, 6, 1), weights).ravel() for pixel in np.eye(36)]).T
nonzero, different = np.count_nonzero(matrix), len(np.unique(matrix)) - 1

fig, ax = plt.subplots(figsize=(7.5, 3.7))
ax.imshow(np.ma.masked_equal(matrix, 0), cmap="viridis")
ax.set(xlabel="36 pixels", ylabel="16 neurons", xticks=[], yticks=[],
       title=f"{matrix.size} entries, {nonzero} of them not zero, {different} of them different")  # fmt: skip
plt.show()

# %% [markdown]
# **FC as CONV.** A fully connected layer on a volume is a convolution whose filter is as large as the volume: it fits
# at one place only, so the output is 1x1xK. The weights are the same numbers in another shape. In AlexNet the first FC
# layer sees a 6x6x256 volume and has 4,096 neurons: it is a CONV layer with 4,096 filters of 6x6. (The lecture's notes
# print 6x6x512 there; AlexNet's last convolution has 256 filters.) A smaller one, 6x6x32 to 10:

# %%
volume = rng.normal(size=(1, 6, 6, 32))
fc = layers.Dense(10)
scores = fc(layers.Flatten()(volume))

as_conv = layers.Conv2D(10, 6)
as_conv.build(volume.shape)
kernel, bias = fc.get_weights()  # (1152, 10) and (10,)
as_conv.set_weights([kernel.reshape(6, 6, 32, 10), bias])

print("FC  ", tuple(scores.shape), " CONV", tuple(as_conv(volume).shape))
print("equal:", np.allclose(scores, as_conv(volume)[:, 0, 0], atol=1e-5))

larger = rng.normal(size=(1, 9, 12, 32))
print(f"A 9x12x32 volume has {larger.size:,} numbers; FC has weights for {len(kernel):,} only.")
print("CONV makes of it a map of", tuple(as_conv(larger).shape[1:]))

# %% [markdown]
# The last two lines are the reason to do it. FC fixes the size of the image, CONV does not: on a larger image the same
# weights give a *map* of scores. Section 4 runs a classifier over a large image in this way.

# %% [markdown]
# ## 3 · Check the lecture
#
# The slides' figures and those of the other lectures on the same topics, beside what this notebook computes.
# *It depends* means: the sentence is right in one reading and not in another. Section 2.5 showed the first such case
# ("invalid" sizes), section 2.9 the second (flipped filters).

# %%
def output_width(w, f, s, p):
    padded_image = layers.ZeroPadding2D(p)(keras.Input((w, w, 1)))
    return layers.Conv2D(1, f, strides=s)(padded_image).shape[1]


def parameters(f, d, k):
    layer = layers.Conv2D(k, f)
    layer.build((None, 32, 32, d))
    return layer.count_params()


widths = [(5, 3, 1, 1), (227, 11, 4, 0), (32, 5, 1, 2), (31, 7, 3, 0)]
formula_holds = all(output_width(w, f, s, p) == (w - f + 2 * p) / s + 1 for w, f, s, p in widths)
layer_sizes = [(5, 3, 12), (11, 3, 96), (3, 64, 7)]
count_holds = all(parameters(f, d, k) == f * f * d * k + k for f, d, k in layer_sizes)

claims.table(
    ["FC on CIFAR-10", "example net", "conv neuron", "conv arithmetic", "padding", "AlexNet conv1",
     "conv backprop", "pooling", "FC->CONV"],
    computed={
        "sc-001": parameters(32, 3, 1) - 1,  # a neuron that sees all of 32x32x3, without its bias
        "sc-002": net.get_layer("conv").output.shape[1:],
        "sc-003": net.get_layer("pool").output.shape[1:],
        "sc-004": layers.Conv2D(10, 16)(net.get_layer("pool").output).shape[1:],  # FC as CONV
        "sc-005": f"{one_filter.count_params() - 1} + 1",
        "sc-006": "(W-F+2P)/S+1" if formula_holds else "another formula",
        "sc-007": output_width(5, 3, 1, 1),
        "sc-010": "(F*F*D1)*K + K" if count_holds else "another formula",
        "l6-016": next(p for p in range(9) if output_width(32, 3, 1, p) == 32),
        "l6-017": next(p for p in range(9) if output_width(32, 5, 1, p) == 32),
        "sc-009": conv1.output.shape[1:],
        "l5-021": output_width(227, 11, 4, 0),
        "l5-022": conv1.output.shape[1:],
        "l5-023": conv1.count_params(),
        "c9-013": conv1.count_params(),
        "l6-019": f"{1 - 4 / 16:.0%}",
        "sc-014": "6 8 / 3 4" if np.array(kinds["max"]).ravel().tolist() == [6, 8, 3, 4] else "another",
        "sc-016": layers.MaxPooling2D(2).count_params(),
    },
)  # fmt: skip

# %% [markdown]
# ## 4 · See it
#
# ### 4.1 Does a feature learned at one place work at another?
#
# The slides justify weight sharing with this guess. We test it with real handwritten digits (8x8 pixels) on a wider
# canvas of 8x16. In training every digit stands at the left edge. In the test it moves to the right, 0 to 8 pixels:
# at 8 it stands where no digit has ever been.

# %% alt="One handwritten digit on three dark canvases of 8x16 pixels: at the left edge as in training, moved by 4 pixels, and moved by 8 pixels to the right edge."
digits = datasets.load(pick(quick="digits", full="mnist"), size=8)
WIDTH = 16


def place(images, shift):
    """The images (N, 8, 8, 1) on a black canvas (N, 8, 16, 1), `shift` pixels from the left edge."""
    canvas = np.zeros((len(images), 8, WIDTH, 1), "float32")
    canvas[:, :, shift : shift + 8] = images
    return canvas


one = digits.test.images[:1]
titles = ["shift 0: as in training", "shift 4", "shift 8: never seen there"]
plotting.image_grid(np.concatenate([place(one, shift) for shift in (0, 4, 8)]), titles, columns=3)
plt.show()

# %% [markdown]
# Keras has no layer with windows but without sharing, so we write one. It cuts the windows out as in 2.3, but its
# weights have two more axes, height and width: one set of weights for each place.

# %%
class Local2D(layers.Layer):
    """Like Conv2D with "same" padding and ReLU, but every place has its own weights."""

    def __init__(self, filters, size):
        super().__init__()
        self.filters, self.size = filters, size

    def build(self, shape):
        _, height, width, depth = shape
        inputs = self.size**2 * depth  # numbers in a window
        start = keras.initializers.RandomNormal(stddev=(2 / inputs) ** 0.5)
        self.kernel = self.add_weight(shape=(height, width, inputs, self.filters), initializer=start)
        self.bias = self.add_weight(shape=(height, width, self.filters), initializer="zeros")

    def call(self, x):
        windows = ops.image.extract_patches(x, self.size, strides=1, padding="same")  # im2col
        return ops.relu(ops.einsum("nhwi,hwif->nhwf", windows, self.kernel) + self.bias)


# %% [markdown]
# Four networks:

# %%
def Conv(filters, size):
    options = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    return layers.Conv2D(filters, size, **options)


def network(name):
    pool, best = layers.MaxPooling2D(2), layers.GlobalMaxPooling2D()
    body = {
        "full": [layers.Flatten(), layers.Dense(37, activation="relu")],
        "local": [Local2D(16, 3), pool, Local2D(32, 3), best],
        "shared": [Conv(16, 3), pool, Conv(32, 3), best],
        "shared, then FC": [Conv(16, 3), pool, Conv(32, 3), layers.Flatten()],
    }
    return keras.Sequential([keras.Input((8, WIDTH, 1)), *body[name], layers.Dense(10)])

# %% [markdown]
# The budgets are fair in two ways: *full* has as many weights as *shared*, and *local* has as many neurons and the same
# wiring as *shared*. `GlobalMaxPooling2D` keeps the strongest answer of each filter, wherever it is. The fourth network
# replaces it by `Flatten` and FC, as in the slides' example: remember it, the last exercise asks about it.
#
# **Written down before the runs.** *Hypothesis*: all four read digits at the left edge, only *shared* reads them at
# places that training never showed. *Metric*: test accuracy, mean over the shifts 5 to 8. *Stopping rule*: 12 epochs
# of Adam (4 in the full profile), the last one counts. *Would count against it*: *shared* falls as far as the others.

# %% trained
EPOCHS = pick(quick=12, full=4)  # the full data set has 46 times as many images
names = ["full", "local", "shared", "shared, then FC"]
networks, accuracy = {}, {}
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
train = datasets.Split(place(digits.train.images, 0), digits.train.labels)
moved = np.concatenate([place(digits.test.images, shift) for shift in range(9)])
for name in names:
    keras.utils.set_random_seed(seed())
    model = networks[name] = network(name)
    model.compile(keras.optimizers.Adam(3e-3), loss=cross_entropy)
    training.fit(model, train, epochs=EPOCHS, batch_size=64, label=name)
    answers = model.predict(moved, verbose=0).argmax(axis=1).reshape(9, -1)  # a row for each shift
    accuracy[name] = np.mean(answers == digits.test.labels, axis=1)

Table([
    {"network": name, "weights": networks[name].count_params(),
     "at the left edge": accuracy[name][0], "shifts 5 to 8": accuracy[name][5:].mean()}
    for name in names
], formats={"at the left edge": ".1%", "shifts 5 to 8": ".1%"})  # fmt: skip

# %% trained alt="Line chart of test accuracy against the shift of the digits in pixels. All four networks start near 97 % at shift 0. Full, local, and shared with FC fall below 25 % at shift 2, and lie around 10 %, pure chance, at the larger shifts. Shared stays at 94 to 98 % at even shifts and dips to about 84 % at odd ones."
fig, ax = plt.subplots()
looks = [("vermillion", "^-"), ("green", "s-"), ("blue", "o-"), ("sky", ".--")]
for name, (color, style) in zip(names, looks):
    ax.plot(accuracy[name], style, color=COLORS[color], label=name)
ax.axhline(0.1, color=COLORS["grey"], lw=1)
ax.text(8, 0.11, "chance", ha="right", va="bottom", color="#666666")
ax.set(xlabel="shift of the test digits (pixels)", ylabel="test accuracy", ylim=(0, 1.02),
       title="Only the shared network still reads the moved digit")  # fmt: skip
ax.legend(loc="center right", bbox_to_anchor=(1, 0.55))
plt.show()

# %% [markdown]
# Why? Look at what the first layer answers to the same digit at both places. With shared weights the answer moves with
# the digit. With local weights the neurons on the right never saw a digit: they still have their random first weights.

# %% trained alt="Six small pictures in two rows. Shared: the digit at shift 0 and at shift 8, and the same activation map at both places. Local: at shift 8 the activation map is a random pattern that has nothing in common with the one at shift 0."
two = np.concatenate([place(one, 0), place(one, 8)])
columns = {"the digit, moved by 0 and by 8": two[..., 0]}
for name in ("shared", "local"):
    maps = feature_maps(networks[name], two, networks[name].layers[0])  # (2, 8, 16, 16)
    strongest = maps[0].mean(axis=(0, 1)).argmax()
    columns[f"{name}: one activation map"] = maps[..., strongest]

fig, axes = plt.subplots(2, 3, figsize=(9, 2.7))
for column, (name, pictures) in enumerate(columns.items()):
    for ax, picture in zip(axes[:, column], pictures):
        ax.imshow(picture, cmap="gray" if column == 0 else "magma", vmin=0, vmax=pictures.max())
        ax.axis("off")
    axes[0, column].set_title(name)
plt.show()

# %% trained alt="Dots for earlier runs with five seeds and two thread counts, and this run's value, all inside the shaded band: shared weights are 60 to 90 points better than the better of the other two on moved digits."
far = {name: 100 * accuracy[name][5:].mean() for name in names}  # percent, shifts 5 to 8
without = max(far["full"], far["local"])  # the better one without sharing
even, odd = 100 * accuracy["shared"][[6, 8]].mean(), 100 * accuracy["shared"][[5, 7]].mean()
note = {"unit": "points", "source": digits.source}

BAND = (60, 90)
finding("shared_minus_unshared", far["shared"] - without, band=BAND, **note,
        claim="A feature that is useful at one place is useful at another.")  # fmt: skip
finding("fc_on_top_minus_unshared", far["shared, then FC"] - without, band=(-15, 15), **note,
        claim="An FC layer shares nothing: each place has its own weights.")  # fmt: skip
finding("even_minus_odd_shifts", even - odd, band=(3, 30), **note,
        claim="Pooling with stride 2 follows even shifts better than odd ones (Zhang 2019).")  # fmt: skip

earlier = measured("01_convolution", "shared_minus_unshared")
plotting.plot_finding(earlier, far["shared"] - without, BAND, unit="points",
                      title="shared minus the better of full and local", verdict="confirms")  # fmt: skip
plt.show()

# %% [markdown]
# **What we found.** The guess holds, and clearly: a filter trained at the left edge works everywhere, and without
# sharing nothing is left but chance (10 %). Two more things are worth a look.
#
# * *The dips* were not in our hypothesis; the first run showed them. At odd shifts *shared* loses points. The
#   convolution moves along pixel by pixel, but 2x2 pooling with stride 2 takes its windows at even places only: a digit
#   moved by one pixel is cut differently. Zhang (2019) describes this and how to mend it.
# * *The fourth network.* Shared filters, and still it falls to chance. You explain it in the last exercise.
#
# There is a limit, too: sharing pays when things *can* be anywhere. In photographs of faces that were turned and cut to
# size, the eyes are always at the same place; there, DeepFace (Taigman et al. 2014) used layers like our `Local2D`.
#
# ### 4.2 A classifier slides over a large image
#
# A classifier for 12x12 pixels, with an FC layer on top as in the slides, learns ten digits and an eleventh class:
# *nothing in the middle*. Then we turn its FC layers into CONV layers (2.10) and show it one large image.
#
# First the data: digits scattered over a large canvas, and all sorts of 12x12 windows cut from such canvases.

# %%
NOTHING = 10


def scatter(images, labels, rng, rows=2, columns=5, cell=14):
    """One canvas with a digit at a random place of each cell; also (top, left, label) of each digit."""
    canvas, found = np.zeros((rows * cell + 4, columns * cell + 4), "float32"), []
    for row, column in np.ndindex(rows, columns):
        k = rng.integers(len(images))
        top, left = (cell * np.array([row, column]) + 2 + rng.integers(0, cell - 7, size=2)).tolist()
        canvas[top : top + 8, left : left + 8] = images[k, :, :, 0]
        found.append((top, left, int(labels[k])))
    return canvas, found


def cut_windows(canvas, found, rng):
    """12x12 windows with a digit in the middle (give or take a pixel), and twice as many with none."""
    windows = sliding_window_view(canvas, (12, 12))
    rows, columns = np.indices(windows.shape[:2])
    off = np.array([np.maximum(abs(rows - top + 2), abs(columns - left + 2)) for top, left, _ in found])
    nearest, distance = off.argmin(axis=0), off.min(axis=0)
    labels = np.where(distance <= 1, np.array([label for *_, label in found])[nearest], NOTHING)
    empty = rng.permutation(np.flatnonzero(labels == NOTHING))
    chosen = np.concatenate([np.flatnonzero(labels != NOTHING), empty[: 2 * np.sum(labels != NOTHING)]])
    return windows.reshape(-1, 12, 12, 1)[chosen], labels.ravel()[chosen]


place_rng = np.random.default_rng(0)
cut = [cut_windows(*scatter(*digits.train, place_rng), place_rng) for _ in range(pick(quick=50, full=300))]
windows, window_labels = (np.concatenate(arrays) for arrays in zip(*cut))
nothing = np.mean(window_labels == NOTHING)
print(f"{len(windows):,} windows of 12x12 pixels, {nothing:.0%} of them with nothing in the middle")

# %% trained
keras.utils.set_random_seed(seed())
classifier = keras.Sequential([
    keras.Input((12, 12, 1)),
    layers.Conv2D(16, 3, activation="relu"),  # 10x10x16
    layers.MaxPooling2D(2),  # 5x5x16
    layers.Conv2D(32, 3, activation="relu"),  # 3x3x32
    layers.Flatten(),
    layers.Dense(48, activation="relu"),
    layers.Dense(11),
], name="classifier")  # fmt: skip
classifier.compile(keras.optimizers.Adam(3e-3), loss=cross_entropy)
training.fit(classifier, (windows, window_labels), epochs=6, label="classifier")

# %% [markdown]
# Now the same weights with CONV in the place of FC. The first FC layer saw a 3x3x32 volume, so it becomes 48 filters of
# 3x3. The second saw 48 numbers, a volume of 1x1x48: it becomes 11 filters of 1x1.

# %%
canvas, found = scatter(*digits.test, np.random.default_rng(90))
slider = keras.Sequential([
    keras.Input((*canvas.shape, 1)),
    layers.Conv2D(16, 3, activation="relu"),
    layers.MaxPooling2D(2),
    layers.Conv2D(32, 3, activation="relu"),
    layers.Conv2D(48, 3, activation="relu"),  # was FC
    layers.Conv2D(11, 1),  # was FC
], name="slider")  # fmt: skip
slider.set_weights([
    old.reshape(new.shape) for old, new in zip(classifier.get_weights(), slider.weights)
])  # fmt: skip
print("a canvas of", canvas.shape, "pixels gives a map of", slider.output_shape[1:])

# %% trained alt="Above, a dark canvas with ten handwritten digits in two rows. Below, the same digits in light grey, and on them the answers of the slider: on nearly every digit a few times its right number in blue (a wrong number would be orange); between the digits small dots for nothing."
def write_answers(ax, answers, found):
    """Each answer at the middle of its window: blue where it is the digit below, vermillion where not."""
    for (row, column), answer in np.ndenumerate(answers):
        y, x = 2 * row + 5.5, 2 * column + 5.5  # one step of the map is 2 pixels
        nearest = min(found, key=lambda digit: max(abs(digit[0] + 3.5 - y), abs(digit[1] + 3.5 - x)))
        right = COLORS["blue"] if answer == nearest[2] else COLORS["vermillion"]
        text, color = ("·", "#999999") if answer == NOTHING else (answer, right)
        ax.text(x, y, text, color=color, ha="center", va="center", weight="bold", size=11)


answers = np.argmax(slider(canvas[None, :, :, None]), axis=-1)[0]
fig, axes = plt.subplots(2, 1, figsize=(9, 8))
axes[0].imshow(canvas, cmap="gray")
axes[0].set_title("the image: digits that the network has never seen")
axes[1].imshow(canvas, cmap="gray_r", vmax=4)
axes[1].set_title("the class map: one answer for each place of the 12x12 window (dot: nothing)")
write_answers(axes[1], answers, found)
for ax in axes:
    ax.axis("off")
plt.show()

# %% [markdown]
# Nobody told this network where to look: it answers everywhere, and says *nothing* between the digits. (Orange: a wrong
# answer.) Is the map really what the classifier would say, window by window? And what does it cost?

# %%
crops = sliding_window_view(canvas, (12, 12))[::2, ::2]  # (11, 32, 12, 12): every window of the map
one_by_one = np.reshape(classifier(crops.reshape(-1, 12, 12, 1)), (*answers.shape, 11))
at_once = np.array(slider(canvas[None, :, :, None]))[0]
print("the same scores at all", answers.size, "places:", np.allclose(one_by_one, at_once, atol=1e-4))

separate = answers.size * accounting.totals(classifier).macs
together = accounting.totals(slider).macs
print(f"multiplications: {separate:,} window by window, {together:,} in one go")
print(f"{separate / together:.1f} times fewer")

# %% [markdown]
# Neighbouring windows overlap, and the sliding network computes what they have in common only once. (The scores are
# equal because these convolutions have no padding. With padding, a window cut out of the image has zeros at its
# border where the large image has pixels.)
#
# How good is the map? We scatter 250 digits over 25 canvases, drawn from the test digits (some come more than once), and
# take the map's answer at the place nearest to the middle of each digit.

# %% trained
many = [scatter(*digits.test, np.random.default_rng(100 + k)) for k in range(25)]
maps = np.argmax(slider(np.stack([c for c, _ in many])[..., None]), axis=-1)
right = [maps[k, round((top - 2) / 2), round((left - 2) / 2)] == label
         for k, (_, found) in enumerate(many) for top, left, label in found]  # fmt: skip
finding("digits_read_by_sliding", 100 * np.mean(right), band=(86, 100), unit="%", source=digits.source,
        claim="With FC as CONV the same weights read images of another size.")  # fmt: skip

# %% [markdown]
# ## 5 · Exercises
#
# Write each answer in place of the line that raises, run the cell, then run the check below it. A check prints what
# is not right yet. Every exercise stands alone. Exercises 1 to 5 use NumPy, exercise 6 uses Keras.
#
# ### Exercise 1 · Padding that keeps the size (1 point)
#
# **The slides ask**: which padding P is right for F = 3 and for F = 5? With stride 1 the output shall be as large as the
# input. Write the function for every odd F. For an even F no P does it: raise a `ValueError`.

# %% exercise="same_padding" points=1
def same_padding(filter_size):
    """Zeros to add on each side so that a stride-1 convolution keeps the size."""
    ### BEGIN SOLUTION
    if filter_size % 2 == 0:
        raise ValueError(f"No padding P keeps the size with a filter of even size {filter_size}.")
    return (filter_size - 1) // 2
    ### END SOLUTION

# %% check="same_padding"
with check("same_padding") as c:
    c.equal(same_padding(3), 1, hint="Put W - F + 2P + 1 = W and solve for P.",
            mistakes=[(2, "2 is for both sides together: P is the padding on each side.")])  # fmt: skip
    c.equal(same_padding(5), 2, hint="Put W - F + 2P + 1 = W and solve for P.")
    c.equal(same_padding(1), 0, hint="A 1x1 filter fits everywhere: it needs no padding.")
    c.that(isinstance(same_padding(3), int), hint="Return a whole number (int): use // to divide.")
    c.raises(ValueError, same_padding, 4, hint="F = 4 would need 1.5 zeros on each side: raise a ValueError.")
### BEGIN HIDDEN TESTS
assert [same_padding(size) for size in (1, 3, 5, 7, 9, 11, 31)] == [0, 1, 2, 3, 4, 5, 15]
for even_size in (2, 6, 10):
    try:
        same_padding(even_size)
    except ValueError:
        continue
    raise AssertionError(f"no ValueError for F = {even_size}")
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · The output size (1 point)
#
# Write (W − F + 2P)/S + 1 as a function that returns a whole number. It is a strict library: if the windows do not fit
# exactly, or the filter is larger than the padded input, it raises a `ValueError` that says so.

# %% exercise="conv_output_size" points=1
def conv_output_size(size, filter_size, *, stride=1, padding=0):
    """Number of places for a window on a row of `size` pixels."""
    ### BEGIN SOLUTION
    free = size - filter_size + 2 * padding
    if free < 0:
        raise ValueError(f"A filter of {filter_size} is larger than the input with its padding.")
    if free % stride:
        raise ValueError(f"Stride {stride} does not fit: {free}/{stride} is not a whole number.")
    return free // stride + 1
    ### END SOLUTION

# %% check="conv_output_size"
with check("conv_output_size") as c:
    c.equal(conv_output_size(7, 3), 5, hint="A window of 3 can start at 0, 1, 2, 3 and 4.",
            mistakes=[(4, "One too few: the window at the very start counts too (+ 1)."),
                      (6, "One too many: the last window starts at W - F.")])  # fmt: skip
    c.equal(conv_output_size(5, 3, padding=1), 5, hint="P zeros on each side make the row 2P longer.",
            mistakes=[(3, "You forgot the padding."),
                      (4, "Padding is added on both sides: 2P.")])  # fmt: skip
    c.equal(conv_output_size(227, 11, stride=4), 55, hint="Divide by the stride, then add 1.",
            mistakes=[(217, "You forgot the stride."), (54, "Add 1 after the division."),
                      (54.25, "Add 1 after the division, not before.")])  # fmt: skip
    c.that(isinstance(conv_output_size(7, 3), int), hint="Return a whole number (int): use // to divide.")
    c.raises(ValueError, conv_output_size, 224, 11, stride=4,
             hint="(224 - 11)/4 is not a whole number: raise a ValueError.")
    c.raises(ValueError, conv_output_size, 4, 5, hint="5 does not fit on 4 pixels: raise a ValueError.")
### BEGIN HIDDEN TESTS
for size_ in (5, 8, 31, 32):
    for filter_ in (1, 2, 3, 5, 7, 12):
        for stride_ in (1, 2, 3):
            for padding_ in (0, 1, 3):
                starts = range(0, size_ + 2 * padding_ - filter_ + 1, stride_)
                fits_ = len(starts) > 0 and starts[-1] == size_ + 2 * padding_ - filter_
                try:
                    got_ = conv_output_size(size_, filter_, stride=stride_, padding=padding_)
                except ValueError:
                    got_ = None
                assert got_ == (len(starts) if fits_ else None), (size_, filter_, stride_, padding_, got_)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · Convolution, forward (2 points)
#
# The loops of 2.2, for a whole batch, with stride and padding. Shapes: `x` (N, H, W, C), `w` (F, F, C, K), `b` (K,),
# result (N, H', W', K). You may assume that the windows fit.

# %% exercise="conv_forward" points=2
def conv_forward(x, w, b, *, stride=1, padding=0):
    """The output of a convolutional layer."""
    ### BEGIN SOLUTION
    size = w.shape[0]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    height, width = (x.shape[1] - size) // stride + 1, (x.shape[2] - size) // stride + 1
    y = np.empty((len(x), height, width, w.shape[3]))
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            y[:, row, column] = np.tensordot(x[:, top : top + size, left : left + size], w, 3) + b
    return y
    ### END SOLUTION

# %% check="conv_forward"
def keras_conv(x, w, b, stride=1, padding=0):
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return np.array(ops.conv(x, w, strides=stride)) + b


draw = np.random.default_rng(0)
with check("conv_forward") as c:
    x_, w_, b_ = draw.normal(size=(1, 5, 5, 1)), draw.normal(size=(3, 3, 1, 1)), np.array([10.0])
    c.close(conv_forward(x_, w_, b_), keras_conv(x_, w_, b_),
            hint="One channel, one filter, stride 1: compare with 2.2.",
            mistakes=[
                (keras_conv(x_, w_, 0 * b_), "You forgot the bias."),
                (keras_conv(x_, w_[::-1, ::-1], b_), "Do not turn the filter: it is a correlation."),
                (keras_conv(x_, w_.transpose(1, 0, 2, 3), b_), "Rows and columns of the filter are exchanged."),
            ])  # fmt: skip
    x_, w_, b_ = draw.normal(size=(2, 7, 9, 3)), draw.normal(size=(3, 3, 3, 4)), draw.normal(size=4)
    c.close(conv_forward(x_, w_, b_), keras_conv(x_, w_, b_),
            hint="Here: two images of 7x9 pixels, three channels, four filters.",
            mistakes=[
                (keras_conv(x_, w_[:, :, ::-1], b_), "The order of the channels is reversed."),
                (keras_conv(x_[..., :1], w_[:, :, :1], b_), "Sum over all channels, not only the first."),
            ])  # fmt: skip
    c.close(conv_forward(x_, w_, b_, stride=2), keras_conv(x_, w_, b_, 2),
            hint="With stride 2 take every second window.",
            mistakes=[(keras_conv(x_, w_, b_), "The stride is not used.")])  # fmt: skip
    c.close(conv_forward(x_, w_, b_, padding=1), keras_conv(x_, w_, b_, 1, 1),
            hint="Add zeros around height and width only.",
            mistakes=[(keras_conv(x_, w_, b_), "The padding is not used.")])  # fmt: skip
### BEGIN HIDDEN TESTS
for shape_, size_, filters_, stride_, padding_ in [
    ((3, 6, 4, 2), 2, 5, 2, 0),
    ((1, 11, 7, 1), 5, 2, 3, 2),
    ((2, 5, 8, 4), 1, 3, 1, 0),
    ((2, 4, 4, 3), 4, 6, 1, 0),
]:
    x_, b_ = draw.normal(size=shape_), draw.normal(size=filters_)
    w_ = draw.normal(size=(size_, size_, shape_[3], filters_))
    got_ = np.array(conv_forward(x_, w_, b_, stride=stride_, padding=padding_))
    right_ = keras_conv(x_, w_, b_, stride_, padding_)
    assert got_.shape == right_.shape, (shape_, size_, stride_, padding_)
    assert np.allclose(got_, right_, atol=1e-5), (shape_, size_, stride_, padding_)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · Convolution, backward (3 points)
#
# `dy` (N, H', W', K) comes back from the layer above. Return `(dx, dw, db)` with the shapes of `x`, `w` and `b`.
# Think in rubber stamps: each output number `dy[n, row, column, k]` looked through one window. It sends
# `dy · filter k` back into that window of dx, and adds `dy · window` to dw. At the end cut the padding off dx.

# %% exercise="conv_backward" points=3
def conv_backward(dy, x, w, *, stride=1, padding=0):
    """Gradients of a convolutional layer: for its input, its weights and its biases."""
    ### BEGIN SOLUTION
    size = w.shape[0]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for row in range(dy.shape[1]):
        for column in range(dy.shape[2]):
            window = np.s_[:, row * stride : row * stride + size, column * stride : column * stride + size]
            dx[window] += np.einsum("nk,ijck->nijc", dy[:, row, column], w)
            dw += np.einsum("nk,nijc->ijck", dy[:, row, column], x[window])
    inside = slice(padding, -padding or None)
    return dx[:, inside, inside], dw, dy.sum(axis=(0, 1, 2))
    ### END SOLUTION

# %% check="conv_backward"
def auto_gradients(dy, x, w, stride=1, padding=0):
    border = ((0, 0), (padding, padding), (padding, padding), (0, 0))

    def loss(x, w):
        return ops.sum(ops.conv(ops.pad(x, border), w, strides=stride) * dy)

    dx, dw = input_gradient(lambda t: loss(t, w), x)[1], input_gradient(lambda t: loss(x, t), w)[1]
    return dx, dw, dy.sum(axis=(0, 1, 2))


draw = np.random.default_rng(0)
with check("conv_backward") as c:
    x_, w_ = draw.normal(size=(2, 5, 6, 3)), draw.normal(size=(3, 3, 3, 4))
    dy_ = draw.normal(size=(2, 3, 4, 4))
    dx_, dw_, db_ = auto_gradients(dy_, x_, w_)
    got = conv_backward(dy_, x_, w_)
    c.that(isinstance(got, tuple) and len(got) == 3, hint="Return three arrays: dx, dw, db.")
    c.close(got[2], db_, hint="A bias is added at every place of every image: sum dy over all of them.",
            mistakes=[
                (dy_.mean(axis=(0, 1, 2)), "Take the sum over the places, not the mean."),
                (dy_.sum(axis=(0, 1)), "Sum over the columns too."),
            ])  # fmt: skip
    c.close(got[1], dw_, hint="dw: add dy[n, row, column, k] times the window of x, for all images and places.",
            mistakes=[
                (dw_[::-1, ::-1], "The weight gradient is turned by 180 degrees: here nothing is flipped."),
                (dw_ / 2, "Add up over the images of the batch, do not take the mean."),
                (auto_gradients(dy_[:1], x_[:1], w_)[1], "Add up over all images, not only the first."),
            ])  # fmt: skip
    c.close(got[0], dx_, hint="dx: add dy[n, row, column, k] times filter k, with += since windows overlap.",
            mistakes=[(auto_gradients(dy_, x_, w_[::-1, ::-1])[0],
                       "The filter is turned the wrong way: stamp it as it is.")])  # fmt: skip
    x_, dy_ = draw.normal(size=(2, 7, 9, 3)), draw.normal(size=(2, 3, 4, 4))
    dx_, dw_, db_ = auto_gradients(dy_, x_, w_, stride=2)
    got = conv_backward(dy_, x_, w_, stride=2)
    c.close(got[1], dw_, hint="With stride 2 the windows start at every second pixel.")
    c.close(got[0], dx_, hint="With stride 2 the windows start at every second pixel.")
    x_, dy_ = draw.normal(size=(1, 5, 4, 3)), draw.normal(size=(1, 5, 4, 4))
    dx_, dw_, db_ = auto_gradients(dy_, x_, w_, padding=1)
    got = conv_backward(dy_, x_, w_, padding=1)
    c.close(got[1], dw_, hint="With padding the windows look at the padded x.")
    c.close(got[0], dx_, hint="With padding, compute dx for the padded x, then cut the border off.")
### BEGIN HIDDEN TESTS
for shape_, size_, filters_, stride_, padding_ in [
    ((3, 6, 4, 2), 2, 5, 2, 0),
    ((1, 11, 7, 1), 5, 2, 3, 2),
    ((2, 5, 8, 4), 1, 3, 1, 0),
    ((1, 6, 8, 2), 4, 2, 2, 1),
]:
    x_, w_ = draw.normal(size=shape_), draw.normal(size=(size_, size_, shape_[3], filters_))
    places_ = [(side_ + 2 * padding_ - size_) // stride_ + 1 for side_ in shape_[1:3]]
    dy_ = draw.normal(size=(shape_[0], *places_, filters_))
    three_ = conv_backward(dy_, x_, w_, stride=stride_, padding=padding_)
    for got_, right_ in zip(three_, auto_gradients(dy_, x_, w_, stride_, padding_), strict=True):
        assert np.shape(got_) == right_.shape, (shape_, size_, stride_, padding_)
        assert np.allclose(got_, right_, atol=1e-5), (shape_, size_, stride_, padding_)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · Max pooling with switches (3 points)
#
# Forward: return the output `y` (N, H', W', C) and the `switches`, whole numbers of the same shape. A switch says which
# number of the window won, counted row by row from 0 to size² − 1 (the first one, if several are equal).
# Backward: send every number of `dy` to its winner. Windows may overlap: then an input can win several times.

# %% exercise="max_pool" points=3
def max_pool_forward(x, size, stride):
    """The largest number of each window, and where it was."""
    ### BEGIN SOLUTION
    windows = sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    flat = windows.reshape(*windows.shape[:4], size * size)  # (N, H', W', C, size²)
    return flat.max(axis=-1), flat.argmax(axis=-1)
    ### END SOLUTION


def max_pool_backward(dy, switches, input_shape, size, stride):
    """The gradient of the input, of shape `input_shape` (N, H, W, C)."""
    ### BEGIN SOLUTION
    dx = np.zeros(input_shape)
    n, row, column, channel = np.indices(dy.shape)
    winner_row, winner_column = row * stride + switches // size, column * stride + switches % size
    np.add.at(dx, (n, winner_row, winner_column, channel), dy)
    return dx
    ### END SOLUTION

# %% check="max_pool"
def keras_max_gradient(dy, x, size, stride):
    return input_gradient(lambda t: ops.sum(ops.max_pool(t, size, stride) * dy), x)[1]


def one_image(rows):
    return np.array(rows, "float32")[None, :, :, None]


draw = np.random.default_rng(0)
with check("max_pool") as c:
    slide_ = one_image([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
    c.close(max_pool_forward(slide_, 2, 2)[0], one_image([[6, 8], [3, 4]]),
            hint="The largest number of each 2x2 window.",
            mistakes=[(one_image([[3.25, 5.25], [2, 2]]), "That is the average: take the largest.")])  # fmt: skip
    four_ = one_image([[1, 9, 2, 4], [5, 6, 8, 7], [3, 2, 1, 0], [1, 2, 3, 4]])  # four different winners
    y_, switches_ = max_pool_forward(four_, 2, 2)
    c.close(switches_, one_image([[1, 2], [0, 3]]),
            hint="Count inside a window, row by row: 0 and 1 in its first row, 2 and 3 below.",
            mistakes=[(one_image([[1, 6], [8, 15]]), "Count in the window, not in the whole image.")])  # fmt: skip
    dy_ = one_image([[10, 20], [30, 40]])
    everywhere_ = np.repeat(np.repeat(dy_, 2, axis=1), 2, axis=2)
    c.close(max_pool_backward(dy_, switches_, four_.shape, 2, 2), keras_max_gradient(dy_, four_, 2, 2),
            hint="Each number of dy goes to the winner of its window.",
            mistakes=[
                (everywhere_ / 4, "That is average pooling: the winner takes all."),
                (everywhere_, "Only the winner gets the gradient."),
            ])  # fmt: skip
    x_ = draw.normal(size=(2, 7, 9, 3)).astype("float32")
    dy_ = draw.normal(size=(2, 3, 4, 3)).astype("float32")
    y_, switches_ = max_pool_forward(x_, 3, 2)
    c.close(y_, np.array(ops.max_pool(x_, 3, 2)),
            hint="Here: windows of 3 with stride 2, two images of 7x9 pixels, three channels.")
    c.close(max_pool_backward(dy_, switches_, x_.shape, 3, 2), keras_max_gradient(dy_, x_, 3, 2),
            hint="Windows overlap here: an input that wins twice gets both (add, do not overwrite).")
### BEGIN HIDDEN TESTS
for shape_, size_, stride_ in [
    ((1, 6, 4, 2), 2, 2),
    ((3, 5, 9, 1), 3, 1),
    ((2, 8, 4, 3), 4, 4),
    ((1, 5, 5, 2), 1, 2),
]:
    x_ = draw.normal(size=shape_).astype("float32")
    y_, switches_ = max_pool_forward(x_, size_, stride_)
    right_ = np.array(ops.max_pool(x_, size_, stride_))
    assert np.shape(y_) == right_.shape and np.allclose(y_, right_), (shape_, size_, stride_)
    assert np.min(switches_) >= 0 and np.max(switches_) < size_**2
    dy_ = draw.normal(size=right_.shape).astype("float32")
    got_ = max_pool_backward(dy_, switches_, shape_, size_, stride_)
    right_ = keras_max_gradient(dy_, x_, size_, stride_)
    assert np.shape(got_) == shape_ and np.allclose(got_, right_, atol=1e-5), (shape_, size_, stride_)
y_, switches_ = max_pool_forward(np.full((1, 4, 4, 1), -2.0), 2, 2)  # equal and negative: the first wins
assert np.allclose(y_, -2) and not np.any(switches_)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · Any classifier becomes a sliding one (4 points)
#
# A small project: do for every network what 4.2 did by hand for one. Your function receives a trained
# `keras.Sequential` of convolutions, pooling and activation layers, then one `Flatten`, then one or more `Dense`. It
# returns a `keras.Model` that takes images of any size, with the same weights and CONV in the place of FC.
#
# A plan that works:
# 1. `x = image = keras.Input((None, None, C))`, then go through `model.layers`.
# 2. A layer before `Flatten` can simply be called again: `x = layer(x)`. It keeps its weights.
# 3. At `Flatten` note the size of the volume, `layer.input.shape[1:3]`, and leave the layer out.
# 4. A `Dense` becomes `Conv2D(layer.units, size, activation=layer.activation)`; size is that of the volume for the
#    first one, and 1 after it. Call it on x (this makes its weights), then `set_weights` with the kernel reshaped.

# %% exercise="fully_convolutional" points=4
def fully_convolutional(model):
    """The same network with CONV in the place of FC: it runs on images of any size."""
    ### BEGIN SOLUTION
    x = image = keras.Input((None, None, model.input_shape[3]))
    size = 1
    for layer in model.layers:
        if isinstance(layer, layers.Flatten):
            size = layer.input.shape[1:3]
        elif isinstance(layer, layers.Dense):
            conv = layers.Conv2D(layer.units, size, activation=layer.activation)
            x = conv(x)
            kernel, bias = layer.get_weights()
            conv.set_weights([kernel.reshape(conv.kernel.shape), bias])
            size = 1
        else:
            x = layer(x)
    return keras.Model(image, x)
    ### END SOLUTION

# %% check="fully_convolutional"
def random_classifier(height, width, channels, hidden, classes):
    body = [layers.Conv2D(4, 3), layers.ReLU(), layers.MaxPooling2D(2), layers.Flatten()]
    head = [layers.Dense(units, activation="tanh") for units in hidden]
    head += [layers.Dense(classes, activation="softmax")]
    model = keras.Sequential([keras.Input((height, width, channels)), *body, *head])
    start, shapes = np.random.default_rng(height), [w.shape for w in model.get_weights()]
    model.set_weights([start.normal(size=shape) / np.sqrt(np.prod(shape[:-1])) for shape in shapes])
    return model


def still_dense(model):
    return any(isinstance(layer, (layers.Dense, layers.Flatten)) for layer in model.layers)


draw = np.random.default_rng(0)
with check("fully_convolutional") as c:
    model_ = random_classifier(6, 8, 3, [5], 7)
    slid_ = fully_convolutional(model_)
    small_, large_ = draw.normal(size=(2, 6, 8, 3)), draw.normal(size=(1, 10, 14, 3))
    c.that(isinstance(slid_, keras.Model), hint="Return a keras.Model.")
    c.that(not still_dense(slid_), hint="Dense or Flatten is still in it: use Conv2D in the place of Dense.")
    c.that(slid_.input_shape == (None, None, None, 3),
           hint="The input must leave height and width open: keras.Input((None, None, C)).")  # fmt: skip
    c.equal(tuple(slid_(small_).shape), (2, 1, 1, 7),
            hint="On its own size the classifier fits at one place: a map of 1x1 with 7 classes.",
            mistakes=[((2, 2, 3, 7), "The first filter is as large as the volume that Dense saw.")])  # fmt: skip
    c.close(np.array(slid_(small_))[:, 0, 0], np.array(model_(small_)),
            hint="Right shape, other numbers. Weights and biases copied? Kernel reshaped to (height, width, "
                 "depth, units)? Activation of each layer kept?")  # fmt: skip
    c.equal(tuple(slid_(large_).shape), (1, 3, 4, 7),
            hint="A 10x14 image is 8x12 after CONV, 4x6 after POOL: a 2x3 filter fits 3x4 times.")
    c.close(np.array(slid_(large_))[:, 1, 2], np.array(model_(large_[:, 2:8, 4:12])),
            hint="Place (1, 2) must give what the classifier says about rows 2 to 7, columns 4 to 11.")
### BEGIN HIDDEN TESTS
for height_, width_, channels_, hidden_, classes_ in [(8, 4, 1, [], 3), (10, 10, 2, [9, 6], 4)]:
    model_ = random_classifier(height_, width_, channels_, hidden_, classes_)
    slid_, image_ = fully_convolutional(model_), draw.normal(size=(2, height_ + 6, width_ + 2, channels_))
    assert not still_dense(slid_)
    map_ = np.array(slid_(image_))
    assert map_.shape == (2, 4, 2, classes_)
    for row_, column_ in np.ndindex(4, 2):
        crop_ = image_[:, 2 * row_ : 2 * row_ + height_, 2 * column_ : 2 * column_ + width_]
        assert np.allclose(map_[:, row_, column_], np.array(model_(crop_)), atol=1e-5), (row_, column_)
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 7 · Explain what you saw (2 points, read by a teacher)
#
# In 4.1 the network *shared, then FC* has the same shared filters as *shared*, and yet it falls to chance when the
# digits move. Why? What exactly moves with the digit, and what does not? Name one change that would help, and say why.

# %% [markdown] exercise="explain_moved_digits" points=2
# The convolutions do their part: when the digit moves, their activation maps move with it, with the same values. But
# `Flatten` turns each *place* of each map into an input of its own, and the FC layer has a separate weight for each of
# them. In training only the left half ever held a digit, so only the weights of the left half learned what digits look
# like. A moved digit arrives at weights that have never seen one.
#
# So shared filters make the maps move along (they are *equivariant*); they do not make the answer stay the same
# (*invariant*). Something after them must forget the place: global pooling, as in *shared*, or the FC layer run as a
# convolution that slides (4.2), or digits at all places in training, so that all FC weights learn.

# %% [markdown]
# ## 6 · Wrap-up
#
# First your guesses:

# %%
prediction("Why do regular networks not scale to full images?", my_guess_scale, "b",
           explain="b: too many weights. One neuron alone needs 227·227·3, or 154,587.")
prediction("The output volume of AlexNet's first layer", my_guess_volume, conv1.output.shape[1:],
           explain="(227 - 11)/4 + 1 = 55 places, and one map for each of 96 filters.")
prediction("Neurons in it", my_guess_neurons, neurons, explain="55·55·96")
prediction("Weights and biases, each neuron with its own", my_guess_unshared, unshared, tolerance=1e6,
           explain="Each has 11·11·3 weights and a bias.")
prediction("Weights and biases, shared", my_guess_shared, shared, tolerance=100,
           explain="96 filters of 11·11·3 weights, and 96 biases.")
prediction("2x2 pooling with stride 2 keeps", my_guess_kept, 25, unit="%",
           explain="One number of four. (With an odd height or width even less: the last row is cropped.)")
prediction("Why are large pooling windows rare?", my_guess_large_windows, "c",
           explain="c: they throw away too much. A 5x5 window keeps 4 %.")
prediction("Who still reads the moved digits?", my_guess_moved, "shared",
           explain="Full and local fall to chance; a filter that is shared works everywhere.")  # fmt: skip

# %% [markdown]
# What the lecture said and what we measured:

# %% trained
findings_table()

# %% [markdown]
# **In short.** A convolutional neuron is a dot product with a small window through the full depth. All
# neurons of a filter share its weights, so the number of weights does not depend on the image, and what is learned at
# one place works at every place. (W − F + 2P)/S + 1 windows fit; where this is no whole number, libraries raise, crop
# or pad. Backwards, the input gradient is a full convolution with the flipped filter, and the weight gradient a
# correlation of input and output gradient. FC and CONV are two shapes of the same dot products: as CONV, a classifier
# slides over images of any size.
#
# **Read more**
# * Y. LeCun et al., *Backpropagation Applied to Handwritten Zip Code Recognition*, Neural Computation 1 (1989): shared
#   weights, trained on digits.
# * A. Krizhevsky, I. Sutskever, G. Hinton, *ImageNet Classification with Deep Convolutional Neural Networks*, NIPS
#   2012: the layer of 2.6.
# * V. Dumoulin, F. Visin, *A guide to convolution arithmetic for deep learning*, 2016, arXiv:1603.07285: every case of
#   2.5, drawn.
# * F. Yu, V. Koltun, *Multi-Scale Context Aggregation by Dilated Convolutions*, 2015, arXiv:1511.07122.
# * P. Sermanet et al., *OverFeat*, 2013, arXiv:1312.6229: a classifier that slides, as in 4.2.
# * Y. Taigman et al., *DeepFace: Closing the Gap to Human-Level Performance in Face Verification*, CVPR 2014.
# * R. Zhang, *Making Convolutional Networks Shift-Invariant Again*, 2019, arXiv:1904.11486: the dips of 4.1.
#
# **Next.** One layer is understood. The next lessons stack such layers into networks, and ask which order works and why.
