# %% [markdown]
# # 6 · Weight initialization
#
# *Lecture 5, "Weight Initialization": activation statistics, Xavier, He, and the list of papers after them.*
#
# **Question.** Before the first step of training every weight needs a value. Training will change them all, so why
# should the first ones matter? In a deep network they decide whether training begins at all: each layer multiplies
# the size of its input by some factor, and twenty layers multiply by its twentieth power.
# **Which first weights keep a signal alive on its way forward, and the gradient on its way back?** And what can be
# done where no simple rule is enough?
#
# **Know first**: convolution and backpropagation (lesson 1), standard deviation and variance, matrix products.

# %% setup
import course_lib

course_lib.start()

# %%
import math
from functools import cache

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops

from course_lib import claims, datasets, pick, plotting, seed, training
from course_lib import initialization as init
from course_lib.accounting import cost_table
from course_lib.checks import check, finding, findings_table, measured, prediction
from course_lib.plotting import COLORS
from course_lib.tables import Table

# %% [markdown]
# ## 1 · Predict
#
# Write your guesses in place of `None` before you run anything; the wrap-up compares. You may leave out
# what you do not want to guess.
#
# **The slides ask**: what happens when all weights start with the same constant?

# %%
my_guess_constant = None  # "a": nothing special, "b": all units of a layer stay equal, "c": the numbers overflow

# %% [markdown]
# **The slides ask**: an input `x = 0.01*np.random.randn(16, 4096)` goes through six layers of 4,096 units. The weights
# are `randn` times or divided by something. What happens to the activations of the last layer? Answer with
# "zero" (they shrink towards it), "fine" (they keep their size), "saturated" (many near −1 and 1) or "explode".

# %%
my_guess_small = None  # tanh, 0.01*randn
my_guess_large = None  # tanh, 0.05*randn
my_guess_xavier = None  # tanh, randn/sqrt(Din)
my_guess_relu = None  # ReLU, randn/sqrt(Din)
my_guess_printed = None  # ReLU, randn/sqrt(2/Din), exactly as the last slide prints it

# %% [markdown]
# **The slides ask**: what do the gradients look like, with 0.01 and with 0.05? And a question of ours: a trained network
# is *pruned*: its smallest weights are set to zero for good. 8 % are left, and these go back to their first values.
# How fast does it learn again? And would other first values do as well?

# %%
my_guess_gradients = None  # "all zero in both", "all zero with 0.05 only", "zero in neither"
my_guess_ticket = None  # "as fast as the full network", "slower, but far faster than with new values", "never"

# %% [markdown]
# ## 2 · Build it
#
# ### 2.1 All weights equal
#
# Real handwriting again: 8x8 digits. We subtract from each pixel its mean over the training images, and divide by the
# standard deviation of all pixels. Inputs around zero are the first half of a good start.

# %%
SIDE = pick(quick=8, full=14)  # pixels
digits = datasets.load(pick(quick="digits", full="mnist"), size=SIDE)
mean_image, spread = digits.train.images.mean(axis=0), digits.train.images.std()


def centred(split):
    return datasets.Split((split.images - mean_image) / spread, split.labels)


train, test = centred(digits.train), centred(digits.test)
batch = datasets.Split(train.images[:256], train.labels[:256])  # to measure on
digits

# %% [markdown]
# A network with one hidden layer of 16 units, trained twice: once from `W = 0.05` everywhere, once from random weights.
# A hidden unit has 64 weights, one for each pixel, so each unit is a small picture (red: positive weights, blue:
# negative ones; each row has its own scale).

# %% trained alt="Two rows of sixteen small pictures in red and blue, one for each hidden unit after training. From constant weights all sixteen pictures are exactly the same. From random weights they are sixteen different patterns."
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(model, optimizer):
    model.compile(optimizer, cross_entropy, steps_per_execution=19)  # 19 steps a call: less to do for Python
    return model


def current(model):
    return [ops.convert_to_numpy(w).copy() for w in model.trainable_variables]


shallow = keras.Sequential([keras.Input((SIDE, SIDE, 1)), layers.Flatten(), layers.Dense(16, "tanh"), layers.Dense(10)])
compiled(shallow, keras.optimizers.SGD(0.1))
fig, axes = plt.subplots(2, 1, figsize=(9, 1.9))
for ax, (name, scheme) in zip(axes, {"constant": "constant", "random": "xavier"}.items()):
    init.initialize(shallow, scheme, rng=seed())
    run = training.fit(shallow, train, epochs=pick(quick=8, full=1), label=name, seed=seed())
    units = init.kernel_layers(shallow)[0].get_weights()[0].T.reshape(16, SIDE, SIDE)
    if name == "constant":
        distinct = len(np.unique(units.round(4), axis=0))
    row = np.pad(units, ((0, 0), (0, 0), (0, 2)), constant_values=np.nan)  # two empty columns behind each
    ax.imshow(np.hstack(row), cmap="RdBu_r", vmin=-np.abs(units).max(), vmax=np.abs(units).max())
    ax.set_title(f"{name}: training loss {run.final['loss']:.2f}")
    ax.axis("off")
plt.show()

finding("constant_distinct_units", distinct, band=(1, 1), unit="of 16 units", source=digits.source,
        claim="What happens with W = constant? Nothing tells units apart.")  # fmt: skip

# %% [markdown]
# Units with equal weights compute the same number for every image. Nothing below or above them tells them apart,
# so they receive the same gradient, and after the step they are equal again. The layer learns, but as **one** unit.
# So first weights must be random: they *break the symmetry*. But how large?
#
# ### 2.2 Small random numbers
#
# The slide's experiment: a batch of 16 goes through six layers of 4,096 units. We draw one matrix of plain `randn` for
# each layer and multiply it by what each slide asks for: `(s·A)x = s·(Ax)`, so one draw serves all slides.

# %%
rng = np.random.default_rng(0)
WIDTH = 4096
randn = [rng.standard_normal((WIDTH, WIDTH), dtype="float32") for _ in range(6)]  # 6 x 67 MB
x = rng.standard_normal((16, WIDTH), dtype="float32")
arriving = rng.standard_normal((16, WIDTH), dtype="float32")  # the gradient that comes back at the top


@cache
def experiment(activation, std, input_std=0.01):
    """Forward and backward through the six layers; statistics by layer, and the activations."""
    hs = init.propagate(input_std * x, randn, activation, scale=std)
    gradients = init.backpropagate(hs, randn, arriving, activation, scale=std)
    return init.statistics(hs, gradients, activation), hs[1:]


def histograms(title, activation, hs, limit=None):
    """One small histogram a layer, with the standard deviation above it. For ReLU without the zeros."""
    fig, axes = plt.subplots(1, 6, figsize=(9, 1.7), sharex=True)
    limit = limit or round(4 * hs[0].std(), 2)
    lowest = 0 if activation == "relu" else -limit
    for layer, (ax, h) in enumerate(zip(axes, hs), 1):
        ax.hist(h[h != 0], bins=41, range=(lowest, limit), color=COLORS["blue"])
        ax.set_title(f"layer {layer}\nstd {h.std():.2g}", fontsize=9, fontweight="normal")
        ax.set(xticks=[lowest, limit], yticks=[], xlim=(1.1 * lowest, 1.1 * limit))
    fig.suptitle(title, x=0.01, ha="left")
    plt.show()


small, hs = experiment("tanh", 0.01)

# %% alt="Six histograms, one a layer, on the same axis. In layer 1 the activations spread with a standard deviation of 0.0064; each layer is narrower than the one before, in layer 6 all stand in one bar at zero, with 0.00069."
histograms("tanh, 0.01*randn: everything shrinks", "tanh", hs)

# %% [markdown]
# Each layer leaves 64 % of the standard deviation. And the way back? We let a random gradient of size 1 arrive at the
# last layer. *gradient* is the size (root mean square) of dL/dh at each layer, *weight gradient* that of dL/dW.

# %%
number = "{:.3g}".format
names = {"mean": "mean of h", "std": "std of h", "zeros": "h = 0", "saturated": "|h| > 0.99", "slope": "mean slope",
         "gradient": "gradient", "weight_gradient": "weight gradient"}  # fmt: skip


def layer_table(rows, caption):
    formats = dict.fromkeys(names, number) | {"mean": "z.4f", "zeros": ".0%", "saturated": ".0%"}
    return Table([vars(row) for row in rows], {"layer": "layer"} | names, caption=caption, formats=formats)


layer_table(small, "tanh, 0.01*randn, input 0.01*randn")

# %% [markdown]
# **Check the slide.** "All zero, no learning", it says of these gradients. They are small, and not zero: the gradient
# of h loses 36 % a layer on its way back. That of W is the same in all layers: it is a product of the layer's input
# (small near the end) and the gradient that comes back (small near the start). A small gradient and no gradient are
# different things: steps make the weights larger, and with them the gradient. Section 4.1 tries it out.
#
# And **equal numbers**, 2.1's start, in six layers? 0.05 everywhere:

# %%
equal = [np.ones((WIDTH, WIDTH), "float32")] * 6  # one matrix, six times
hs = init.propagate(0.01 * x, equal, "tanh", scale=0.05)
gradients = init.backpropagate(hs, equal, arriving, "tanh", scale=0.05)
layer_table(init.statistics(hs, gradients, "tanh"), "tanh, 0.05 everywhere, input 0.01*randn")

# %% [markdown]
# All units of a layer add up 4,096 products with the same weight, so they all get the same sum, 205 times the mean of
# what comes in. From layer 3 on all of them stand at an end of tanh together: saturated, slope 0, and no gradient at all
# comes back. (Single images differ only in the end at which they stand.)
#
# ### 2.3 Larger random numbers
#
# Back to random numbers, five times as large as in 2.2: `0.05*randn`.

# %% alt="Six histograms. In layer 1 the activations form a narrow peak, in layers 2 and 3 it widens, and from layer 4 on two high bars grow at -1 and 1. Above layer 6: standard deviation 0.84."
large, hs = experiment("tanh", 0.05)
histograms("tanh, 0.05*randn: they run against the ends of tanh", "tanh", hs, limit=1)

# %%
layer_table(large, "tanh, 0.05*randn, input 0.01*randn")

# %% [markdown]
# The sums grow 3.2 times a layer until tanh stops them at −1 and 1. There its curve is flat: the *slope*, which the
# slides call the local gradient, multiplies the gradient that passes. "All zero" is too strong again: 30 % of the units
# of layer 6 are saturated, and the mean slope is 0.3. On its way back the gradient even grows, to 49 in layer 1: the
# weights multiply it by 3.2 in each layer, and the slopes take away less than that. (The slides' input, `0.01*randn`,
# is very small, so the first layers are hardly saturated. An input of size 1 would saturate 41 % of layer 1 already.)
#
# ### 2.4 Just right: Xavier
#
# A unit adds up Din products. Variances of independent products add: Var(sum) = Din · Var(w) · Var(x). By hand, with
# four inputs of ±1, where all 16 cases can be written down:

# %%
cases = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1)  # every choice of four inputs: each has variance 1
weights_by_hand = np.array([0.5, -0.5, 0.5, 0.5])  # mean square 1/4 = 1/Din
print("variance of the sum:", np.var(weights_by_hand @ cases), "= 4 inputs ·", np.mean(weights_by_hand**2), "· 1")

# %% [markdown]
# The sum keeps the size of the input if Var(w) = 1/Din: divide `randn` by √Din. With 4,096 inputs that is 1/64 = 0.0156,
# between the 0.01 and the 0.05 that failed.

# %% alt="Six histograms that look all the same: a bell of standard deviation 0.01 in every layer."
xavier, hs = experiment("tanh", 1 / math.sqrt(WIDTH))
histograms("tanh, randn/sqrt(Din): the size stays", "tanh", hs)

# %%
layer_table(xavier, "tanh, randn/sqrt(Din), input 0.01*randn")

# %% [markdown]
# *Backward* the same argument gives Var(w) = 1/Dout: an input reaches Dout units, and their gradients add up. Both
# hold only if Din = Dout, so Glorot and Bengio divide by the mean of Din and Dout: 2/(Din + Dout). Keras' default
# (`glorot_uniform`) is this one; the slide's 1/Din is called LeCun's in Keras.
#
# ### 2.5 ReLU: half of it is gone
#
# The same weights with ReLU in the place of tanh:

# %% alt="Six histograms, each a half bell to the right of zero. It gets narrower from layer to layer: the standard deviation falls from 0.0059 to 0.001."
relu_xavier, hs = experiment("relu", 1 / math.sqrt(WIDTH))
histograms("ReLU, randn/sqrt(Din): everything shrinks again (drawn without the half that is zero)", "relu", hs)

# %%
layer_table(relu_xavier, "ReLU, randn/sqrt(Din), input 0.01*randn")

# %% [markdown]
# Xavier's argument needs an activation around zero that lets everything pass. ReLU sets the negative half to zero. What
# is lost is half of the *mean square*, so every layer multiplies the size by 1/√2 = 0.71: nearly six times less
# after five more layers. **He** et al. put the half back: Var(w) = 2/Din.
#
# The slide prints this as `np.random.randn(Din, Dout)/np.sqrt(2/Din)`. Let us run what is printed, and what is meant:

# %%
printed, _ = experiment("relu", 1 / math.sqrt(2 / WIDTH))
he, hs = experiment("relu", math.sqrt(2 / WIDTH))
Table([{"layer": a.layer, "printed": a.std, "meant": b.std} for a, b in zip(printed, he)],
      {"layer": "layer", "printed": "std with randn / sqrt(2/Din)", "meant": "std with randn * sqrt(2/Din)"},
      formats={"printed": number, "meant": number})  # fmt: skip

# %% alt="Six histograms that look all the same: a half bell to the right of zero, standard deviation 0.0083 in every layer."
histograms("ReLU, randn*sqrt(2/Din): the size stays (drawn without the half that is zero)", "relu", hs)

# %%
layer_table(he, "ReLU, randn*sqrt(2/Din), input 0.01*randn")

# %% [markdown]
# Half of the activations are zero, and forward and backward the sizes stay.
#
# **The bug in the slide**: it divides by √(2/Din) where it should multiply. As printed, a weight has a standard
# deviation of √(Din/2) = 45, each layer makes everything 2,048 times larger, and layer 6 is at 6·10¹⁷. The slip is
# easily made: the slide before divides by √Din, and one remembers "divide by a root". Multiplying by √(2/Din) is
# dividing by √(Din/2). Exercise 3 asks you to mend it.
#
# ### 2.6 The whole experiment without drawing a weight
#
# A sum of 4,096 random products is very nearly normally distributed, whatever distribution the weights come from. So
# all that was measured can be computed. E[ ] is the mean, φ the activation and φ' its slope:
#
# * forward: the sums have a mean square of q = Din·Var(w)·E[h²]; the next E[h²] is the mean of φ(√q·z)² over a
#   normal z. For ReLU this is q/2 exactly; for tanh it is an integral in one dimension;
# * backward: E[gradient²] is multiplied by Dout·Var(w)·E[φ'(√q·z)²]. For ReLU the last factor is 1/2.
#
# Lines are computed, dots are measured:

# %% alt="Two panels with logarithmic axes over six layers; dots lie on lines everywhere. Activations: tanh 0.01 and ReLU with Xavier fall, tanh 0.05 rises and bends at 1, Xavier with tanh and He with ReLU are level. Gradients from layer 6 back to 1: tanh 0.05 grows to 50, with tanh 0.01 and ReLU with Xavier they fall below 0.2, Xavier with an input of size 1 to a half, the other two stay at 1."
settings = {
    "tanh, 0.01": ("tanh", 0.01, 0.01, "sky"),
    "tanh, 0.05": ("tanh", 0.05, 0.01, "vermillion"),
    "tanh, Xavier": ("tanh", 1 / math.sqrt(WIDTH), 0.01, "blue"),
    "tanh, Xavier, input of size 1": ("tanh", 1 / math.sqrt(WIDTH), 1.0, "purple"),
    "ReLU, Xavier": ("relu", 1 / math.sqrt(WIDTH), 0.01, "orange"),
    "ReLU, He": ("relu", math.sqrt(2 / WIDTH), 0.01, "green"),
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8))
errors = []
for name, (activation, std, input_std, color) in settings.items():
    seen, _ = experiment(activation, std, input_std)
    told = init.expected_statistics(activation, weight_std=std, width=WIDTH, depth=6, input_rms=input_std)
    for ax, what in zip(axes, ("std", "gradient")):
        dots, line = ([getattr(row, what) for row in rows] for rows in (seen, told))
        ax.semilogy(range(1, 7), line, color=COLORS[color], label=name)
        ax.semilogy(range(1, 7), dots, "o", color=COLORS[color])
        errors += [abs(dot / level - 1) for dot, level in zip(dots, line)]
axes[0].set(xlabel="layer", ylabel="standard deviation of h", title="forward: activations")
axes[1].set(xlabel="layer", ylabel="size of dL/dh", title="backward: gradients (start at layer 6)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

finding("closed_form_error", round(100 * max(errors), 2), band=(0, 5), unit="% at most", source="normal random numbers",
        claim="The variance of the weights sets how the size changes from layer to layer.")  # fmt: skip

# %% [markdown]
# Read the left panel from left to right and the right one from right to left. Two settings are level in *both*
# directions: Xavier with tanh and He with ReLU. (The slide's small input makes it easy for Xavier: tanh is nearly a line
# there. With an input of size 1, purple, tanh itself squeezes a little in every layer.) And six layers are few: a
# factor of 0.64 makes 0.07 out of 1 in six layers, and 0.0001 in twenty.
#
# ### 2.7 Twenty layers of convolution
#
# In a convolution a unit adds up F·F products for each of its D input channels: **Din = F·F·D**. Here is a
# network of 20 layers, 19 of them 3x3 convolutions with 16 filters, without normalization. Its Din is 3·3·16 = 144 (in
# the first layer, which reads one channel, 9).

# %% alt="The network as a row of solids: the 8x8 digit, nineteen convolutions of 8x8x16, all of the same size, and a bar of 10 class scores."
DEPTH, FILTERS = 20, 16


def conv(name, activation=None, use_bias=True):
    return layers.Conv2D(FILTERS, 3, padding="same", activation=activation, use_bias=use_bias, name=name)


def plain_network():
    x = image = keras.Input((SIDE, SIDE, 1), name="input")
    for number in range(1, DEPTH):
        x = conv(f"conv{number}", "relu")(x)
    return keras.Model(image, layers.Dense(10, name="fc")(layers.Flatten()(x)), name="plain20")


plain = plain_network()
plotting.plot_architecture(plain, image=digits.train.images[0])
plt.show()

# %%
costs = cost_table(plain)
Table([row for row in costs.rows if row["layer"] in ("input", "conv1", "conv2", "conv19", "fc", "total")],
      costs.columns, caption="conv3 to conv18 have the numbers of conv2; their field grows by 2 a layer, soon beyond the image")  # fmt: skip

# %% [markdown]
# ### 2.8 After He: an ongoing area of research
#
# The slide ends with a list of papers. Here is what each adds:
#
# | paper | idea |
# | --- | --- |
# | Saxe et al. 2013 | **orthogonal** matrices keep *every* direction's length, not only the mean |
# | Sussillo, Abbott 2014 | **random walk**: keep the mean *log* of the size; its factor (*gain*) is a bit above He's |
# | Krähenbühl et al. 2015 | **data-dependent**: scale each channel on real images; let all layers learn equally fast |
# | Mishkin, Matas 2015 | **LSUV**: orthogonal, then each layer in turn divided by the std it really puts out |
# | Zhang et al. 2019 | **Fixup**: in a residual network `x + f(x)` each branch f starts at zero, and learns slowly |
# | Frankle, Carbin 2019 | **lottery ticket**: a few of the first weights are the right ones; find them by pruning |
#
# The first two can be seen without images.

# %% alt="Two panels. Left: the 64 singular values of a product of 20 random matrices on a logarithmic axis; with normal weights they spread over many powers of ten, with orthogonal ones all are 1. Right: size of a signal over 100 ReLU layers of 32 units, median of 100 networks: with He's gain it falls by a factor of about fifty, with the random walk gain it stays near 1."
rng = np.random.default_rng(1)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2))
for scheme, color, label in (("xavier", "vermillion", "normal, 1/Din"), ("orthogonal", "blue", "orthogonal")):
    product = np.eye(64)
    for _ in range(20):
        product = product @ init.draw((64, 64), scheme, rng=rng)
    axes[0].semilogy(np.linalg.svd(product, compute_uv=False), ".-", color=COLORS[color], label=label)
for scheme, color in (("he", "vermillion"), ("random_walk", "blue")):
    h, paths = rng.standard_normal((100, 1, 32)) / 32**0.5, []  # 100 networks, 100 layers of 32 units
    for _ in range(100):
        h = np.maximum(h @ np.stack([init.draw((32, 32), scheme, rng=rng) for _ in range(100)]), 0)
        paths.append(np.percentile(np.linalg.norm(h, axis=2), [25, 50, 75]))
    low, median, high = np.transpose(paths)
    axes[1].semilogy(range(1, 101), median, color=COLORS[color], label=f"{scheme}: median")
    axes[1].fill_between(range(1, 101), low, high, color=COLORS[color], alpha=0.2, lw=0)
axes[0].set(xlabel="singular value, the largest first", ylabel="stretches by", title="A product of 20 matrices, 64x64")
axes[1].set(xlabel="layer", ylabel="size / size of the input", title="100 networks, ReLU, 32 units wide")
for ax in axes:
    ax.legend()
plt.show()

# %% [markdown]
# *Left*: normal weights keep the mean, but some directions are stretched and most are squeezed to almost nothing; after
# 20 layers only a few of 64 are left. Orthogonal matrices keep them all. (ReLU spoils a part of this, and drops half of
# the mean square here too; a gain of √2 puts it back, as in He's rule.)
# *Right*: in narrow layers chance matters. He's rule keeps the *mean* square over many networks, and a few lucky
# large ones carry this mean; a typical network loses. The random walk's gain keeps the typical one (half of
# the networks lie in the shaded band).
#
# The other schemes look at the network itself. LSUV in a few lines:
# ```python
# for layer in layers:                       # from the first to the last; orthogonal weights, biases zero
#     std = sums(layer, images).std()        # what comes out before the activation, with the layers below scaled
#     layer.kernel.assign(layer.kernel / std)
# ```
# Fixup needs a residual network: blocks whose input is added to their output, `x + f(x)` (lesson 9). Our 20 layers with
# such shortcuts, and with the scalar biases and scales that Fixup asks for. The last layer of each branch and the
# classifier start at zero; the other layers of the branches have He's weights divided by √L, for L branches of two
# layers:

# %%
def residual_network():
    bias, scale = init.ScalarBias, init.ScalarScale  # one trained number each
    x = image = keras.Input((SIDE, SIDE, 1))
    x = conv("conv0", "relu")(x)
    for block in range((DEPTH - 2) // 2):
        y = conv(f"block{block}_conv1", use_bias=False)(bias()(x))
        y = conv(f"block{block}_conv2", use_bias=False)(bias()(layers.ReLU()(bias()(y))))
        x = layers.ReLU()(layers.add([x, bias()(scale()(y))]))
    return keras.Model(image, layers.Dense(10, name="fc")(layers.Flatten()(x)), name="residual20")


def filled(scheme, **options):
    return lambda s: init.initialize(plain, scheme, rng=s, **options)


residual = residual_network()
branches = [[f"block{block}_conv1", f"block{block}_conv2"] for block in range((DEPTH - 2) // 2)]
images = batch.images
SCHEMES = {  # name: (network, how it is filled, colour, line)
    "normal 0.01": (plain, filled("normal", std=0.01), "sky", ":"),
    "Xavier": (plain, filled("xavier"), "orange", ":"),
    "He": (plain, filled("he"), "black", "-"),
    "random walk": (plain, filled("random_walk"), "grey", "-"),
    "orthogonal": (plain, filled("orthogonal", gain=2**0.5), "green", "-"),
    "data-dependent": (plain, lambda s: init.data_dependent(plain, images, rng=s), "purple", "-"),
    "LSUV": (plain, lambda s: init.lsuv(plain, images, rng=s), "blue", "-"),
    "residual, He": (residual, lambda s: init.fixup(residual, [], rng=s), "vermillion", ":"),  # no branch: He
    "residual, Fixup": (residual, lambda s: init.fixup(residual, branches, head="fc", rng=s), "vermillion", "-"),
}

# %% [markdown]
# All of them on the same 256 digits, before any training: how large are the outputs, and how fast would each layer
# move? Its *pace* is the size of its weight gradient over the size of its weights.

# %% alt="Two panels over the 20 layers, logarithmic axes, a line for each scheme. Outputs: normal 0.01 leaves the picture at once, Xavier falls by a thousand, residual He grows to about 25, LSUV is level near 0.6, He falls from 0.6 to 0.18 in layer 19 and orthogonal from 0.46 to 0.05, data-dependent rises to 20 in the middle and comes back. Pace: Xavier is far below all others, data-dependent is level, residual He is much above the rest."
fig, axes = plt.subplots(1, 2, figsize=(9, 4.4))
for name, (model, fill, color, line) in SCHEMES.items():
    fill(0)
    rows = init.model_statistics(model, images, batch.labels)
    std = [row.std or np.nan for row in rows]  # Fixup's zeros have no place on this axis
    pace = [row.weight_gradient / row.weight if row.weight else np.nan for row in rows]
    for ax, values in zip(axes, (std, pace if name != "residual, Fixup" else [np.nan] * len(rows))):
        ax.semilogy(range(1, 21), values, line, marker=".", color=COLORS[color], label=name)
axes[0].set(ylabel="standard deviation of the output", ylim=(1e-4, 1e2), title="forward")
axes[1].set(ylabel="weight gradient / weight", ylim=(1e-6, 1e2), title="backward: the pace")
for ax in axes:
    ax.set(xlabel="layer", xticks=range(1, 21, 3))
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

# %% [markdown]
# * *normal 0.01* and *Xavier* fade on the way forward. Backward their pace does not fade from layer to layer, but it is
#   small everywhere: Xavier's about 0.0001, and that of *normal 0.01* lies below the right panel. Xavier is Keras'
#   default!
# * *residual, He* is the opposite: each block adds as much as it receives, so the mean square doubles in each block.
# * *He* falls to less than a third, *orthogonal* still further. Two things add up. At the border of the image a window
#   hangs over the edge and reads zeros, so not all of its 144 inputs exist: on 8x8 pixels this alone would leave 0.45
#   after 18 layers (on 224x224 it hardly counts). The rest is chance, as in the right panel above: 16 channels are few,
#   and another seed may fall much more, or hardly at all.
# * *LSUV* knows nothing of borders and mends them all the same, because it measures. *Data-dependent* weights let all
#   layers run at the same pace; for that they give up the level line of the outputs.
# * *Fixup* has dots at every second layer only: the others start at zero, and so does the classifier. In the first
#   step only the classifier moves; it wakes the last layers of the branches, and these wake the rest. So before
#   training its pace says nothing, and the right panel leaves it out.
#
# ## 3 · Check the lecture
#
# The slides' figures beside what this notebook computed:

# %%
relu_factor = (relu_xavier[5].std / relu_xavier[0].std) ** (1 / 5)
kernel = plain.get_layer("conv2").kernel.shape
wide = init.draw((2000, 50), "xavier")
claims.table(
    ["initialization", "initialization papers"],
    computed={
        "l5-148": 0.01,
        "l5-149": f"{len(randn)} matrices of {randn[0].shape[0]}x{randn[0].shape[1]}",
        "l5-377": "tanh stays linear" if xavier[5].slope > 0.999 else "tanh bends",
        "l5-150": round(small[5].std, 5),
        "l5-151": "all zero" if small[0].weight_gradient == 0 else "small, not zero",
        "l5-152": round(large[5].slope, 2),
        "l5-153": "1/Din" if abs(wide.var() * 2000 - 1) < 0.05 else "another",
        "l5-154": "F*F*D" if init.fans(kernel)[0] == kernel[0] * kernel[1] * kernel[2] else "another",
        "l5-155": round(relu_factor, 2),
        "l5-156": "* sqrt(2/Din)" if abs(he[5].std / he[0].std - 1) < 0.1 else "another",
    },
)  # fmt: skip

# %% [markdown]
# Two more slips stand elsewhere: the CS231n summary calls the rule that ResNet uses "Xavier initialization from He et
# al.". Xavier's and He's are two rules, a factor of 2 apart; ResNet uses He's. The long deck writes "Xavier/2",
# and means He's rule too: half of Din, so twice the variance.
#
# ## 4 · See it
#
# ### 4.1 "No learning"?
#
# Sections 2.2 and 2.3 found gradients that are not zero where the slides say zero. Do such networks learn or not? We
# build one that is less wide, with the same factors: six layers, five of 128 units and one of 10 classes. Its weights
# are 0.64/√Din and 3.2/√Din times `randn`: for 4,096 units this would be 0.01 and 0.05.
#
# **Written down before the runs.** *Hypothesis*: "no learning" is wrong for six layers, both times. *Metric*: training
# loss after the last epoch, in *nats* (cross-entropy with the natural logarithm; chance: ln 10 = 2.303). *Stopping
# rule*: 10 epochs of SGD with rate 0.03 and momentum 0.9 (full profile: 1 epoch of 46 times as many images). *Would
# count against it*: a loss above 2.

# %% trained alt="Training loss by epoch for three starts of a six-layer tanh network. All three fall to a loss near zero; 0.01 is two epochs behind the others."
hidden = [layers.Dense(128, "tanh") for _ in range(5)]
tanh_net = keras.Sequential([keras.Input((SIDE, SIDE, 1)), layers.Flatten(), *hidden, layers.Dense(10)])
compiled(tanh_net, keras.optimizers.SGD(0.03, momentum=0.9))
tanh_runs = {}
for name, factor in {"0.01*randn": 0.64, "Xavier": 1.0, "0.05*randn": 3.2}.items():
    init.initialize(tanh_net, "xavier", rng=seed())
    for layer in init.kernel_layers(tanh_net):
        layer.kernel.assign(factor * layer.kernel)
    init.rewind(tanh_net, current(tanh_net))  # forget the momentum of the last run
    tanh_runs[name] = training.fit(tanh_net, train, epochs=pick(quick=10, full=1), label=name, seed=seed())
fig, ax = plt.subplots(figsize=(6.5, 3))
plotting.plot_history(tanh_runs, ax=ax)
ax.set_title("tanh, six layers")
plt.show()

note = {"unit": "nats", "source": digits.source}
for key, name, band in (("small", "0.01*randn", pick(quick=(0.0, 0.15), full=(0.0, 1.0))),
                        ("large", "0.05*randn", pick(quick=(0.0, 0.05), full=(0.0, 1.0)))):  # fmt: skip
    finding(f"six_layers_{key}", tanh_runs[name].final["loss"], band=band, verdict="contradicts", **note,
            claim=f"{name}, six layers: gradients all zero, no learning.")  # fmt: skip

# %% [markdown]
# Six layers learn from all three starts: small gradients grow as soon as the weights do, and saturated units still let
# a part of the gradient pass. Both times the slide draws the right picture and puts too strong a word under it. Its
# first sentence is the one to keep: small random numbers are fine for small networks, and a problem for deep ones. So
# on to a deep one.
#
# ### 4.2 Twenty layers that plain weights cannot train
#
# Now the convolutional network of 2.7, from every start of 2.8, with the same rate, steps and order of images.
#
# **Written down before the runs.** *Hypothesis*: from the two *plain* starts, normal 0.01 and Xavier, the loss stays at
# chance (2.303); from orthogonal, data-dependent, LSUV and Fixup starts it comes below 1, and so from He and the random
# walk; the residual network with He's weights is worse than with Fixup. *Metric*: training loss after the last epoch;
# NaN counts as chance. *Stopping rule*: 6 epochs of SGD with rate 0.003 and momentum 0.9 (full profile: 1). *Would
# count against it*: one of the four at a loss above 1, or a plain start below 2.

# %% trained alt="Training loss by epoch for nine starts. Normal 0.01 and Xavier stay on the line of chance, 2.3; residual He begins far above and ends on it. He, random walk, orthogonal, data-dependent, LSUV and residual Fixup all fall below 0.9 within six epochs; Fixup begins first."
for model in (plain, residual):
    compiled(model, keras.optimizers.SGD(0.003, momentum=0.9))

CHANCE = math.log(10)
final = {}
fig, ax = plt.subplots(figsize=(7.5, 3.8))
for name, (model, fill, color, line) in SCHEMES.items():
    fill(seed())
    init.rewind(model, current(model))
    run = training.fit(model, train, epochs=pick(quick=6, full=1), label=name, seed=seed())
    final[name] = float(np.nan_to_num(run.final["loss"], nan=CHANCE))
    label = f"{name}: {final[name]:.2f}"
    ax.plot(range(1, len(run.rows) + 1), run["loss"], line, marker="o", color=COLORS[color], label=label)
ax.axhline(CHANCE, color=COLORS["grey"], lw=1)
ax.set(xlabel="epoch", ylabel="training loss", ylim=(0, 3), title="20 layers, nine starts (behind each name: the last loss)")
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% trained alt="Dots for five seeds and two thread counts, and this run: the loss of the worst of the four mended starts, all inside the shaded band, and so is the diamond of the full profile."
mended = max(final[name] for name in ("orthogonal", "data-dependent", "LSUV", "residual, Fixup"))
BAND = pick(quick=(0.2, 1.0), full=(0.0, 1.0))
finding("plain_best", min(final["normal 0.01"], final["Xavier"]), band=pick(quick=(2.29, 2.31), full=(1.0, 2.31)),
        **note, verdict=pick(quick="confirms", full="contradicts"),
        claim="Deep: small numbers, and Xavier with ReLU, collapse; no learning.")  # fmt: skip
finding("mended_worst", mended, band=BAND, **note,
        claim="Orthogonal, data-dependent, LSUV and Fixup: twenty ReLU layers learn from each of them.")  # fmt: skip
finding("he_minus_chance", final["He"] - CHANCE, band=(-2.3, -1.5), **note,
        claim="He: twenty ReLU layers learn from it.")  # fmt: skip
finding("fixup_minus_he_in_residual", final["residual, Fixup"] - final["residual, He"], band=(-2.3, -2.0), **note,
        claim="Without normalization a residual network learns from Fixup's start, not from He's (one rate).")  # fmt: skip

plotting.plot_finding(measured("06_initialization", "mended_worst"), mended, BAND, unit="nats", verdict="confirms",
                      title="loss of the worst of the four mended starts")  # fmt: skip
plt.show()

# %% [markdown]
# **What we found.** The hypothesis holds in every stored run of the quick profile (the random walk is not stored: there
# look at this run). In the full profile a plain start came below 2, which counts against it; see the wrap-up. The
# effect is not a small one: from the plain starts the network has not begun to learn when the others are far down. The
# residual network with He's weights begins far *above* chance here, because its outputs are too large; the first large
# steps throw it back to chance, where it stays. Which of the good starts is best, this experiment does not decide: it
# depends on the rate, and one was chosen for all. He's last loss lies between 0.10 and 0.59 in the stored runs: one run
# ranks nothing. Adam is no way out by itself: lesson 5 used it, and its network of 19 layers learned nothing from
# Glorot's weights. BatchNormalization helps more: it does in every step what LSUV does once (lesson 9).
#
# ### 4.3 The lottery ticket
#
# Frankle and Carbin: a large random network contains a small one that, trained alone *from its own first values*,
# does as well. To find it: train, remove the smallest 30 % of the weights in each layer (15 % in the last), put what is
# left back to its first values, train again, and so on. To test it: the same mask, but other random first values.
#
# **Written down before the runs.** *Hypothesis*: at 8 % of the weights, the ticket learns faster than the same mask
# with new values. *Metric*: loss after 57 steps, on test and validation images together. *Stopping rule*: 7 rounds of
# 12 passes, Adam with rate 0.002 (full profile: tested after 100 steps, then one epoch more). *Would count against it*:
# new values at least as good as the ticket's.
#
# (Added after the runs: a plain start is no obstacle here. The full network has three layers only and learns from
# Xavier's weights at once, as the first dot of the picture shows. The question is what the *sparse* one can start from.)

# %% trained
def passes(split, number):
    """The images several times over: many short epochs would cost more time than their steps."""
    return datasets.Split(*(np.concatenate([part] * number) for part in split))


early = pick(quick=passes(train, 3), full=datasets.Split(*(part[:6400] for part in train)))
late = passes(train, pick(quick=9, full=1))
ticket_net = keras.Sequential([
    keras.Input((SIDE, SIDE, 1)), layers.Flatten(),
    init.MaskedDense(128, "relu"), init.MaskedDense(64, "relu"), init.MaskedDense(10),
], name="ticket")  # fmt: skip
compiled(ticket_net, keras.optimizers.Adam(0.002))
held_out = datasets.Split(*(np.concatenate(pair) for pair in zip(test, centred(digits.validation))))


def race(first_values, label):
    """Test loss after a short and after a long training from these values, with the present masks."""
    init.rewind(ticket_net, first_values)
    losses = []
    for part in (early, late):
        training.fit(ticket_net, part, epochs=1, label=label, seed=seed())
        losses.append(training.evaluate(ticket_net, held_out, batch_size=597)["loss"])
    return losses


first, other = [], []
for values, start in ((other, 1000 + seed()), (first, seed())):
    init.initialize(ticket_net, "xavier", form="average", rng=start)
    values += current(ticket_net)

tickets, imposters, left = [race(first, "all weights")], [], [1.0]
for round_ in range(1, 8):
    left.append(init.prune(ticket_net, 0.3, last=0.15))  # of the weights that were just trained
    if round_ in (3, 5, 7):
        imposters.append((left[-1], *race(other, f"{left[-1]:.0%} left, new values")))
    tickets.append(race(first, f"{left[-1]:.0%} left, the ticket"))


# %% trained alt="Two charts of test loss against the share of weights that is left, from 100 % down to 8 %. After the short training the ticket stays low while the same mask with new values climbs towards chance. At the end both are low, the ticket lower."
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4))
for ax, column, title in zip(axes, (0, 1), (f"after {-(-len(early.images) // 64)} steps", "at the end")):
    ax.semilogx(left, [losses[column] for losses in tickets], "o-", color=COLORS["blue"], label="the ticket")
    ax.semilogx([p[0] for p in imposters], [p[column + 1] for p in imposters], "^--", color=COLORS["vermillion"],
                label="same mask, new first values")  # fmt: skip
    ax.set(xlabel="weights left", ylabel="test loss", title=title, ylim=(0, None))
    ax.set_xticks([1, 0.5, 0.2, 0.1], ["100 %", "50 %", "20 %", "10 %"])
    ax.minorticks_off()
    ax.invert_xaxis()
axes[0].legend()
plt.show()

finding("ticket_minus_new_values", tickets[-1][0] - imposters[-1][1], band=pick(quick=(-1.8, -1.1), full=(-1.8, -0.3)), **note,
        claim="A few of the first weights are the right ones (Frankle and Carbin 2019).")  # fmt: skip

# %% [markdown]
# **What we found.** In this run the ticket learns as fast as the full network, or faster, down to about a quarter of
# the weights. At 8 % it is behind, but the same mask with new values has hardly begun: its loss is 1.4 to 1.5
# higher in every stored run of the quick profile (0.6 in the full one). So it is not only the mask that counts: the
# first values belong to it. At the end of training the new values come closer, on data as easy as this; but at 8 % their
# loss is still nearly twice as high. And mind the price: to find the ticket, the large network was trained first, round
# after round.
#
# ## 5 · Exercises
#
# Write each answer in place of the line that raises, run the cell, then run the check below it. All exercises
# use NumPy; `rng` is a generator, so `rng.standard_normal(shape)` draws normal numbers.
#
# ### Exercise 1 · Xavier (1 point)
#
# Return a matrix `(d_in, d_out)` of normal numbers with mean 0 and the variance of the slide, 1/d_in.

# %% exercise="xavier_weights" points=1
def xavier_weights(d_in, d_out, rng):
    """First weights of a dense layer for tanh."""
    ### BEGIN SOLUTION
    return rng.standard_normal((d_in, d_out)) / np.sqrt(d_in)
    ### END SOLUTION

# %% check="xavier_weights"
def spread_of(function, *shape):
    """Standard deviation over 20 draws of a function's weights."""
    return np.std([function(*shape, np.random.default_rng(k)) for k in range(20)])


with check("xavier_weights") as c:
    w_ = xavier_weights(400, 100, np.random.default_rng(0))
    c.equal(np.shape(w_), (400, 100), hint="One row for each input, one column for each unit.")
    c.that(np.ptp(w_) > 0, hint="All weights are equal: draw them with rng.standard_normal.")
    c.close(spread_of(xavier_weights, 400, 100), 1 / 20, rtol=0.02,
            hint="The standard deviation is the root of the variance 1/d_in: here 1/20.",
            mistakes=[
                (1 / 400, "1/d_in is the variance: its root is the standard deviation."),
                (1 / 10, "Divide by the root of d_in, the inputs that a unit adds up, not of d_out."),
                (20, "You multiplied by the root of d_in: divide."),
                (1.0, "These are plain normal numbers: scale them."),
                ((2 / 500) ** 0.5, "That is Glorot's rule, 2/(d_in + d_out); here the slide's form is asked."),
                ((2 / 400) ** 0.5, "That is He's rule, for ReLU."),
            ])  # fmt: skip
    c.that(abs(np.mean(w_)) < 0.001, hint="The mean should be 0: rng.standard_normal, not rng.uniform.")
    c.that(np.abs(w_).max() > 0.15, hint="The spread is right, but these are not normal numbers: rng.standard_normal.")
    again_ = xavier_weights(400, 100, np.random.default_rng(0))
    c.that(np.array_equal(w_, again_), hint="Draw from the rng that you receive, so that a seed repeats it.")
### BEGIN HIDDEN TESTS
for d_in_, d_out_ in [(100, 900), (64, 2000), (2500, 30)]:
    assert xavier_weights(d_in_, d_out_, np.random.default_rng(1)).shape == (d_in_, d_out_)
    assert abs(spread_of(xavier_weights, d_in_, d_out_) * d_in_**0.5 - 1) < 0.02, (d_in_, d_out_)
tails_ = np.abs(xavier_weights(100, 2000, np.random.default_rng(2))).max()
assert tails_ > 0.35, "not normal"
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · He, for convolutions too (2 points)
#
# `shape` is that of a kernel: `(d_in, d_out)`, or `(height, width, channels, filters)`. Return normal numbers of this
# shape with He's variance, 2/Din.

# %% exercise="he_weights" points=2
def he_weights(shape, rng):
    """First weights of a dense or convolutional layer for ReLU."""
    ### BEGIN SOLUTION
    return rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1]))
    ### END SOLUTION

# %% check="he_weights"
def he_spread(*shape):
    return np.std([he_weights(shape, np.random.default_rng(k)) for k in range(20)])


with check("he_weights") as c:
    c.equal(np.shape(he_weights((3, 3, 16, 32), np.random.default_rng(0))), (3, 3, 16, 32),
            hint="The weights have the shape of the kernel.")  # fmt: skip
    c.close(he_spread(200, 300), 0.1, rtol=0.02, hint="The standard deviation is the root of 2/d_in: here 0.1.",
            mistakes=[
                (200**-0.5, "You forgot the 2: ReLU throws half away, He puts it back."),
                (10.0, "You divide by the root of 2/Din, as the slide prints it: multiply."),
                ((2 / 300) ** 0.5, "Din is the number of inputs, the first number of the shape."),
                (2 / 200, "2/Din is the variance: take its root."),
            ])  # fmt: skip
    c.close(he_spread(5, 5, 8, 100), 0.1, rtol=0.02,
            hint="A unit of this convolution adds up 5·5·8 = 200 products.",
            mistakes=[
                ((2 / 8) ** 0.5, "Each unit adds up 5·5 products for every one of the 8 channels."),
                ((2 / 25) ** 0.5, "The window goes through the full depth: 5·5·8 inputs."),
                ((2 / 5) ** 0.5, "For a convolution Din is height·width·channels."),
                ((2 / 2500) ** 0.5, "Count inputs, not outputs: the filters do not belong to Din."),
                ((2 / 20000) ** 0.5, "Count the inputs of one unit: the filters do not belong to Din."),
            ])  # fmt: skip
    w_, again_ = (he_weights((200, 300), np.random.default_rng(0)) for _ in range(2))
    c.that(np.array_equal(w_, again_), hint="Draw from the rng that you receive, so that a seed repeats it.")
    c.that(np.abs(w_).max() > 0.3, hint="The spread is right, but these are not normal numbers: rng.standard_normal.")
### BEGIN HIDDEN TESTS
for shape_ in [(1, 7, 30, 40), (64, 500), (3, 1, 50, 60), (1, 1, 400, 20)]:
    want_ = (2 / math.prod(shape_[:-1])) ** 0.5
    assert abs(he_spread(*shape_) / want_ - 1) < 0.03, shape_
    assert abs(np.mean(he_weights(shape_, np.random.default_rng(3)))) < want_ / 10
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · Find the bug in the slide (2 points)
#
# ```python
# x = 0.01*np.random.randn(16, dims[0])
# for Din, Dout in zip(dims[:-1], dims[1:]):
#     W = np.random.randn(Din, Dout)/np.sqrt(2/Din)
#     x = np.maximum(0, x.dot(W))
#     hs.append(x)
# ```
# Write the loop as a function, without the bug: it receives the input, the list of sizes and a generator, and returns
# the list `hs`. (The factor 0.01 belongs to the input, so leave it out.) And write a second function: all layers are
# wide and have `d_in` units; by what factor does **one layer of the printed code** multiply the size (root mean square)
# of the activations that enter it?

# %% exercise="slide_bug" points=2
def relu_stack(x, dims, rng):
    """The activations of each layer; len(dims) - 1 arrays."""
    ### BEGIN SOLUTION
    hs = []
    for d_in, d_out in zip(dims[:-1], dims[1:]):
        x = np.maximum(0, x @ (rng.standard_normal((d_in, d_out)) * np.sqrt(2 / d_in)))
        hs.append(x)
    return hs
    ### END SOLUTION


def printed_growth(d_in):
    """Size of h after a layer of the printed code, over its size before."""
    ### BEGIN SOLUTION
    return d_in / 2
    ### END SOLUTION

# %% check="slide_bug"
def size_of(h):
    return np.sqrt(np.mean(np.square(h)))


def stack_sizes(dims, seed):
    x_ = np.random.default_rng(seed).standard_normal((64, dims[0]))
    return np.array([size_of(h) / size_of(x_) for h in relu_stack(x_, dims, np.random.default_rng(seed + 1))])


with check("slide_bug") as c:
    dims_ = [500] * 6
    hs_ = relu_stack(np.ones((4, 500)), dims_, np.random.default_rng(0))
    c.equal(len(hs_), 5, hint="One array for each layer: five matrices join six sizes.")
    c.equal(np.shape(hs_[-1]), (4, 500), hint="Each array is (examples, units).")
    c.that(np.min(hs_[-1]) >= 0, hint="ReLU is missing: np.maximum(0, ...).")
    ratio_ = stack_sizes(dims_, 0)
    c.that(ratio_[-1] < 1e6, hint="Still exploding: divide by sqrt(Din/2), or multiply by sqrt(2/Din).")
    c.that(ratio_[-1] > 0.4, hint="It is too small: is the 2 still there? (And do not scale the input.)")
    c.that(np.all(np.abs(ratio_ - 1) < 0.3), hint="The size should stay about the same in all layers.")
    c.close(printed_growth(4096), 2048.0, hint="Weights of std 1/sqrt(2/Din); a sum of Din products; then half of the mean square is lost.",
            mistakes=[
                (4096**0.5 / 2**0.5, "That is the std of a weight. A unit adds up Din products with it."),
                (4096 / 2**0.5, "You forgot ReLU: it divides the size by sqrt(2)."),
                (4096**2 / 4, "That is the factor of the mean square: take the root."),
                (2**-0.5, "That is the factor for Xavier's weights."),
                (1.0, "That is the factor of the mended code; the printed one is asked."),
            ])  # fmt: skip
### BEGIN HIDDEN TESTS
for dims_ in ([300, 800, 200, 600], [1000, 400]):
    ratio_ = np.mean([stack_sizes(dims_, 7 * k) for k in range(6)], axis=0)
    assert len(ratio_) == len(dims_) - 1 and np.all(np.abs(ratio_ - 1) < 0.12), (dims_, ratio_)
assert np.isclose(printed_growth(100), 50) and np.isclose(printed_growth(6), 3)
draws_ = [relu_stack(np.ones((2, 50)), [50, 50], np.random.default_rng(k))[0] for k in (1, 1, 2)]
assert np.array_equal(draws_[0], draws_[1]) and not np.array_equal(draws_[0], draws_[2])
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · Predict the collapse depth (2 points)
#
# A stack of wide layers, each with `width` units and weights of standard deviation `weight_std`. The input is small (so
# tanh is a line) and has some size; after how many layers is the size (root mean square) for the first time **below**
# `threshold` (less than 1) times the input's? `activation` is `"tanh"` or `"relu"`. Return a whole number from 1 on, or
# `math.inf` if it never happens.

# %% exercise="collapse_depth" points=2
def collapse_depth(width, weight_std, threshold, activation):
    """Number of the first layer whose size is below threshold times that of the input."""
    ### BEGIN SOLUTION
    factor = weight_std * math.sqrt(width / (2 if activation == "relu" else 1))
    if factor >= 1:
        return math.inf
    return math.floor(math.log(threshold) / math.log(factor)) + 1
    ### END SOLUTION

# %% check="collapse_depth"
with check("collapse_depth") as c:
    c.equal(collapse_depth(4096, 0.01, 0.03, "tanh"), 8,
            hint="One layer multiplies the size by weight_std · sqrt(width). How often, until it is below the threshold?",
            mistakes=[
                (4, "You used the factor of the variance: for the size take its root."),
                (7, "One too few: after 7 layers it is 0.044 of the input."),
                (9, "One too many: after 8 layers it is 0.028 of the input."),
                (5, "ReLU's half does not belong to tanh."),
            ])  # fmt: skip
    c.equal(collapse_depth(4096, 1 / 64, 0.1, "relu"), 7, hint="Xavier's weights; ReLU halves the mean square.",
            mistakes=[
                (math.inf, "For relu half of the mean square is lost in each layer."),
                (4, "ReLU divides the size by sqrt(2), not by 2."),
                (6, "One too few: after 6 layers it is 0.125 of the input."),
            ])  # fmt: skip
    c.equal(collapse_depth(4096, 1 / 64, 0.1, "tanh"), math.inf, hint="The factor is 1: the size never falls.")
    c.equal(collapse_depth(4096, 0.05, 1e-6, "relu"), math.inf, hint="The size grows: it never falls.")
    c.that(isinstance(collapse_depth(256, 0.01, 0.01, "relu"), int), hint="Return a whole number (int).")
### BEGIN HIDDEN TESTS
for width_, std_, threshold_ in [(100, 0.05, 0.3), (900, 0.03, 1e-3), (2000, 0.02, 1e-6), (64, 0.1, 0.9)]:
    for activation_, lost_ in (("tanh", 1), ("relu", 2)):
        size_, layers_ = 1.0, 0
        while size_ >= threshold_ and layers_ < 10_000:
            size_, layers_ = size_ * std_ * (width_ / lost_) ** 0.5, layers_ + 1
        want_ = layers_ if layers_ < 10_000 else math.inf
        assert collapse_depth(width_, std_, threshold_, activation_) == want_, (width_, std_, threshold_, activation_)
assert collapse_depth(50, 0.3, 0.5, "tanh") == math.inf
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · LSUV (3 points)
#
# For a stack `h = phi(h @ W)` without biases: `weights` is a list of matrices, `x` a batch `(N, D)`, `phi` the
# activation (a function). Return a **new** list: each matrix divided by one number, so that the sums of its layer,
# `h @ W` *before* phi, have standard deviation 1 on this batch (over all examples and units). Each layer sees what the
# scaled layers below it put out.

# %% exercise="lsuv_weights" points=3
def lsuv_weights(weights, x, phi):
    """The matrices, scaled layer by layer to sums of unit variance."""
    ### BEGIN SOLUTION
    scaled, h = [], x
    for w in weights:
        scaled.append(w / np.std(h @ w))
        h = phi(h @ scaled[-1])
    return scaled
    ### END SOLUTION

# %% check="lsuv_weights"
def sums_std(weights, x, phi):
    stds = []
    for w in weights:
        stds.append(np.std(x @ w))
        x = phi(x @ w)
    return np.array(stds)


def relu_(a):
    return np.maximum(a, 0)


draw = np.random.default_rng(0)
with check("lsuv_weights") as c:
    x_ = draw.standard_normal((32, 40)) + 0.3
    weights_ = [draw.standard_normal(shape) * size for shape, size in (((40, 60), 3), ((60, 50), 0.01), ((50, 10), 0.2))]
    kept_ = [w.copy() for w in weights_]
    got_ = lsuv_weights(weights_, x_, relu_)
    c.equal(len(got_), 3, hint="One matrix for each matrix that came in.")
    c.that(all(np.array_equal(a, b) for a, b in zip(weights_, kept_)), hint="You changed the list that came in: w = w / ..., not w /= ...")
    c.close(got_[0] / got_[0][0, 0], weights_[0] / weights_[0][0, 0],
            hint="One factor for the whole matrix, not one a unit: the std over all examples and units.")  # fmt: skip
    c.close(sums_std(got_[:1], x_, relu_), np.ones(1), hint="Divide the first matrix by the std of x @ W.",
            mistakes=[
                (1 / sums_std(weights_[:1], x_, relu_), "You divided by the variance: take the standard deviation."),
                (sums_std(weights_[:1], x_, relu_) ** 2, "You multiplied: divide by the standard deviation."),
                (sums_std(weights_[:1], x_, relu_), "The first matrix is still as it was."),
                (sums_std(weights_[:1], x_, relu_) / np.std(relu_(x_ @ weights_[0])), "Measure the sums before phi, not after it."),
            ])  # fmt: skip
    c.close(sums_std(got_, x_, relu_), np.ones(3),
            hint="Only the first layer is right: the next must see phi(h @ W) with the *scaled* W below it.")
    c.close(got_[1] / got_[1][0, 0], weights_[1] / weights_[1][0, 0], hint="One factor for the whole matrix, not one a unit.")
### BEGIN HIDDEN TESTS
for phi_ in (np.tanh, relu_, lambda a: a):
    sizes_ = draw.integers(5, 60, size=7)
    weights_ = [draw.standard_normal((a, b)) * draw.uniform(0.01, 9) for a, b in zip(sizes_[:-1], sizes_[1:])]
    x_ = draw.standard_normal((20, sizes_[0])) * 5
    got_ = lsuv_weights(weights_, x_, phi_)
    assert np.allclose(sums_std(got_, x_, phi_), 1)
    assert all(np.allclose(a / a[0, 0], b / b[0, 0]) for a, b in zip(got_, weights_))
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · Explain what you saw (2 points, read by a teacher)
#
# In the panel *forward* of 2.8 He's line falls, although the rule with Din = 144 promises that the size stays. Work out
# why, with numbers for a 3x3 window on 8x8 pixels. Which schemes are not fooled, and how do they notice? Would you
# expect the same fall in a VGG on 224x224 pixels, in its first layers and in its last ones?

# %% [markdown] exercise="explain_border" points=2
# He's rule counts 144 products for each unit. A unit at the border of the image has fewer: where its window hangs over
# the edge it reads zeros. On 8x8 pixels 28 of the 64 places are at the border; on average a window finds (22/24)² = 84
# % of its inputs, so the mean square falls to 84 % in the first layer. Later layers lose about 8 %, because what stands
# at the border is small already: after 18 more layers 0.45 of the size is left. The picture shows less, 0.30; the rest
# is the luck of one draw in narrow layers (2.8, right panel), which a dense network has as well.
#
# LSUV and the data-dependent scheme do not count at all. They send images through, measure what really comes out, and
# divide by it, so any reason for a loss is mended, whether one has thought of it or not.
#
# In a VGG the first layers work on 224x224 pixels, where the border is less than 2 % of the places: nothing to see. The
# last ones work on 14x14 pixels, 27 % at the border, and do lose some, but after few layers of that size.

# %% [markdown]
# ## 6 · Wrap-up
#
# First your guesses:

# %%
prediction("All weights start with the same constant", my_guess_constant, "b",
           explain="b: equal weights get equal gradients and stay equal: a layer works as one unit.")
prediction("tanh, 0.01*randn: the last layer", my_guess_small, "zero", explain="A factor of 0.64 a layer.")
prediction("tanh, 0.05*randn: the last layer", my_guess_large, "saturated",
           explain="A factor of 3.2, until tanh stops it: 30 % of the units are beyond 0.99.")
prediction("tanh, randn/sqrt(Din): the last layer", my_guess_xavier, "fine", explain="The variances add up to 1.")
prediction("ReLU, randn/sqrt(Din): the last layer", my_guess_relu, "zero", explain="ReLU costs a factor of 0.71 a layer.")
prediction("ReLU, randn/sqrt(2/Din) as printed: the last layer", my_guess_printed, "explode",
           explain="Meant is randn*sqrt(2/Din). As printed a layer multiplies by 2,048.")
prediction("The gradients with 0.01 and with 0.05", my_guess_gradients, "zero in neither",
           explain="0.01: small, times 0.64 a layer. 0.05: partly saturated, slope 0.3. Six layers learn with both.")
prediction("8 % of the weights, back at their first values", my_guess_ticket,
           "slower, but far faster than with new values",
           explain="That is the lottery ticket: new values in the same mask are far behind early in training.")  # fmt: skip

# %% [markdown]
# What the lecture said and what we measured:

# %% trained
findings_table()

# %% [markdown]
# The last column is the full profile, run once: MNIST at 14x14 pixels, and 860 steps in the place of 114. The four
# mended starts, He's and the ticket win there, too. But at least one of the two plain starts left chance before the end
# (the better one: 1.46, its mean over the epoch). By our own rule this counts against the hypothesis: with enough steps
# and so easy a task even a bad start can be overcome. "No learning" is a statement about a number of steps.
#
# **In short.** First weights must be random, or the units of a layer stay equal. A layer multiplies the mean square of
# its input by Din·Var(w), and of the gradient by Dout·Var(w); ReLU halves both. So Var(w) = 1/Din for tanh (Xavier) and
# 2/Din for ReLU (He), where a convolution has Din = F·F·D. Over depth these factors are raised to a power: what hardly
# matters in six layers decides in twenty. Where the rule's assumptions fail, one can measure instead (Krähenbühl,
# LSUV), keep directions (Saxe), or start residual branches at zero (Fixup).
#
# | network | first weights |
# | --- | --- |
# | tanh | Xavier: `glorot_normal`, `lecun_normal` |
# | ReLU | He: `he_normal` (write it in the layer: Keras takes Glorot's otherwise) |
# | deep, without normalization | a scheme that measures, such as LSUV (our 20 layers learned from He's, orthogonal and random walk weights, too) |
# | residual, without normalization | Fixup |
# | with BatchNormalization | He; the normalization forgives much |
#
# **Read more**
# * Glorot, Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.
# * Saxe, McClelland, Ganguli, *Exact solutions to the nonlinear dynamics of learning in deep linear neural networks*,
#   2013, arXiv:1312.6120.
# * Sussillo, Abbott, *Random walk initialization for training very deep feedforward networks*, 2014, arXiv:1412.6558.
# * He, Zhang, Ren, Sun, *Delving deep into rectifiers*, ICCV 2015, arXiv:1502.01852.
# * Krähenbühl et al., *Data-dependent initializations of convolutional neural networks*, 2015, arXiv:1511.06856.
# * Mishkin, Matas, *All you need is a good init*, 2015, arXiv:1511.06422.
# * Zhang, Dauphin, Ma, *Fixup initialization: residual learning without normalization*, 2019, arXiv:1901.09321.
# * Frankle, Carbin, *The lottery ticket hypothesis*, ICLR 2019, arXiv:1803.03635.
#
# **Next.** Deep networks can now begin to learn. What to build with them? ResNet (lesson 9) has
# shortcuts that make even a hundred layers easy.
