# %% [markdown]
# # 5 · VGGNet
#
# *Lecture 5, "VGGNet"; lecture 6, "Case Studies" and "VGGNet in detail"; CS231n summary of lecture 9, "VGGNet".*
#
# In 2014 two researchers in Oxford took one kind of layer, a 3x3 convolution, and asked a single question:
# **what happens if we change nothing but the depth?** They built six networks from 11 to 19 layers. The result came
# second in that year's ImageNet contest in classification and first in localization (where is the object?), and its
# regular shape made it the network that everybody takes apart. That is what we do here. Where do its 138 million
# weights sit, where its memory, where its work? (The lecture's sum is wrong in an instructive way.) How does a network
# for 224x224 pixels read a larger photograph? And does depth alone help?
#
# **Know first**: convolution (lesson 1), stacks of 3x3 and training memory (lesson 2), AlexNet (lesson 4).

# %% setup
import course_lib

course_lib.start()

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers, ops

from course_lib import accounting, claims, datasets, pick, plotting, seed, training, transfer
from course_lib.architectures import VGG16, AlexNet
from course_lib.architectures.vgg import CONFIGURATIONS, VGG
from course_lib.checks import check, finding, findings_table, measured, prediction
from course_lib.initialization import initialize
from course_lib.plotting import COLORS
from course_lib.tables import Table

# %% [markdown]
# ## 1 · Predict
#
# Guess in place of `None` before you run anything. You may leave one out, too; the wrap-up compares.
#
# 1. **A slide asks**: why use smaller filters (3x3)? Because a stack of them, beside one large filter that sees as far,
#    has *a*: fewer weights and more non-linearities, *b*: a larger field, or *c*: smaller volumes to keep in memory.
# 2. VGG16 has five stages of convolutions and then three FC layers. Which of these six parts holds most parameters?
#    Which one does the most multiply-adds?
# 3. The smallest of the six networks (A, 11 layers) has 133 million parameters, the largest (E, 19 layers) 144 million.
#    How many times as much *work* is E?
# 4. Our experiment: small versions of A, B, D and E, all trained by the same recipe on the same 1,200 digits. Which one
#    has the lowest loss on new images?

# %%
my_guess_why = None  # "a", "b" or "c"
my_guess_parameters = None  # "stage 1", ..., "stage 5" or "FC"
my_guess_work = None  # "stage 1", ..., "stage 5" or "FC"
my_guess_times = None  # a number
my_guess_best = None  # "A", "B", "D" or "E"

# %% [markdown]
# ## 2 · Build it
#
# ### 2.1 One stage
#
# All of VGG follows one rule: some 3x3 convolutions with padding 1 and stride 1, the first of which may change the
# number of channels of a volume, and none its height and width; then a 2x2 max pooling with stride 2, which halves
# height and width and keeps the channels. That is a **stage**.
# Here is the third stage of VGG16, by hand:

# %%
stage = keras.Sequential([
    keras.Input((56, 56, 128)),
    layers.Conv2D(256, 3, padding="same", activation="relu"),  # 56x56x256
    layers.Conv2D(256, 3, padding="same", activation="relu"),
    layers.Conv2D(256, 3, padding="same", activation="relu"),
    layers.MaxPooling2D(2),  # 28x28x256
])  # fmt: skip
by_hand = (3 * 3 * 128 + 1) * 256 + 2 * (3 * 3 * 256 + 1) * 256
print(stage.input_shape[1:], "->", stage.output_shape[1:])
print(f"Keras counts {stage.count_params():,} parameters, by hand {by_hand:,}")

# %% [markdown]
# Three 3x3 layers see 7x7 values, with 27C² weights in place of 49C², and with three ReLUs in place of one: lesson 2
# has the calculation, and exercise 2 below asks for it. The price is on the same line: three volumes of 56x56x256 to
# keep in training, not one.
#
# ### 2.2 Six networks in one table
#
# Five stages with 64, 128, 256, 512 and 512 filters, then FC-4096, FC-4096 and FC-1000. What differs from
# network to network is the *number* of convolutions in a stage; besides, A-LRN adds one normalization, and three of C's
# convolutions are 1x1. So the whole paper fits into six rows, and the library's
# builder reads exactly these:

# %%
for name, row in CONFIGURATIONS.items():
    print(f"{name:6}", *[" ".join(map(str, kernel_sizes)).ljust(8) for kernel_sizes in row], sep=" | ")

# %% alt="The six configurations as columns of boxes, from A with 11 to E with 19 layers. Nearly all boxes say conv3. A-LRN has one grey normalization box, C has three orange conv1 boxes. Five dark lines across all columns mark the poolings, three green boxes at the foot of each column the FC layers."
WIDTHS = (64, 128, 256, 512, 512)
fig, ax = plt.subplots(figsize=(8.5, 6.2))
for column, (name, row) in enumerate(CONFIGURATIONS.items()):
    ax.text(column, -0.75, name, ha="center", va="center", weight="bold")
    y = 0
    for width, kernel_sizes, room in zip(WIDTHS, row, (2, 2, 4, 4, 4)):
        boxes = [("LRN" if k == "LRN" else f"conv{k}-{width}", {1: "orange", "LRN": "grey"}.get(k, "sky"))
                 for k in kernel_sizes]  # fmt: skip
        for place, (text, color) in enumerate(boxes):
            ax.add_patch(plt.Rectangle((column - 0.44, y + place - 0.4), 0.88, 0.8, color=COLORS[color]))
            ax.text(column, y + place, text, ha="center", va="center", fontsize=9)
        ax.plot([column - 0.48, column + 0.48], [y + room - 0.3] * 2, color="#262626", lw=3)
        y += room + 0.4
    for place, text in enumerate(["FC-4096", "FC-4096", "FC-1000"]):
        ax.add_patch(plt.Rectangle((column - 0.44, y + place - 0.4), 0.88, 0.8, color=COLORS["green"]))
        ax.text(column, y + place, text, ha="center", va="center", fontsize=9, color="white")
ax.set(xlim=(-0.6, 5.6), ylim=(y + 2.7, -1.3))
ax.axis("off")
plt.show()

# %% [markdown]
# Read it from the top: image in, black lines are poolings. A-LRN was there to test AlexNet's normalization (it did not
# help: 10.5 % top-5 error beside 10.4). C has **1x1 convolutions**: each is a small FC layer applied at every pixel. It
# mixes the channels and adds a ReLU, but sees no neighbour. D is the network that is called VGG16, E is VGG19.
#
# Counted from the graphs. The errors are the paper's, one network on the validation images of ImageNet (quoted from
# memory).

# %%
with accounting.unallocated():  # counting needs no memory for 144 million weights
    nets = {name: VGG(configuration=name) for name in CONFIGURATIONS}
    vgg16, alexnet = VGG16(), AlexNet()
published = {row["name"]: row["imagenet_top5_error"] for row in claims.published() if row["family"] == "VGG"}
paper_names = {"A": "VGG11", "A-LRN": "VGG11LRN", "B": "VGG13", "C": "VGG16C", "D": "VGG16", "E": "VGG19"}
rows = []
for name, net in nets.items():
    counted = accounting.totals(net)
    convolutions = sum(cost.params for cost in accounting.layer_costs(net) if cost.kind == "Conv2D")
    rows.append({"network": name, "layers": accounting.weight_layers(net), "parameters": counted.params,
                 "in convolutions": convolutions, "multiply-adds": counted.macs,
                 "top-5 error (%)": published[paper_names[name]]})  # fmt: skip
work_ratio = rows[-1]["multiply-adds"] / rows[0]["multiply-adds"]
Table(rows, formats={"top-5 error (%)": ".1f"})

# %% [markdown]
# Three things to see:
#
# * **Depth costs hardly any parameters.** From A to E the convolutions grow from 9 to 20 million weights, beside a
#   block of 124 million in FC layers that is the same everywhere. So 133, 133, 133, 134, 138 and 144 look alike.
# * **Depth costs work.** E is 2.6 times A.
# * **Depth pays, and then stops paying.** The error falls from 10.4 to 8.0, but the last three layers (D to E) bring
#   0.1. Read such a table with care: C, D and E were trained here with images of many sizes, A and B were not. In the
#   paper's rows with one fixed size (from memory) the top-1 errors (first guess wrong) are 28.7 for B, 28.1 for C, 27.0
#   for D and 27.3 for E. So C beats B: more non-linearities help. D beats C: seeing the neighbours helps more. And E
#   does not beat D.
#
# VGG16, drawn from its graph:

# %% alt="VGG16 as a row of solids: flat wide volumes of 224x224x64 on the left, which become smaller and thicker at each pooling, down to 7x7x512, then thin bars of 4096, 4096 and 1000."
plotting.plot_architecture(vgg16)
plt.show()

# %% [markdown]
# ### 2.3 Memory early, parameters late, work in the middle
#
# The lecture lists VGG16 row by row: how many values a layer puts out, and how many weights it has (without biases).
# Here is the same list, counted, with the work beside it, and with the side of the receptive field (lesson 2). In the
# charts below it each stage has its colour; the FC layers are red-orange:

# %%
KINDS = ("InputLayer", "Conv2D", "MaxPooling2D", "Dense")  # the rows of the lecture's list
costs = [cost for cost in accounting.layer_costs(vgg16) if cost.kind in KINDS]


def short(name):
    """stage3_block1_conv -> conv3_1"""
    name = name.replace("stage", "").replace("_block", "_").replace("output", "fc8")
    if name.endswith("_conv"):
        return f"conv{name.removesuffix('_conv')}"
    return f"pool{name[0]}" if name.endswith("_pool") else name


ledger = [{"layer": short(cost.name), "volume": cost.output_shape, "values": cost.activations,
           "weights": cost.params - (cost.output_shape[-1] if cost.params else 0), "multiply-adds": cost.macs,
           "field": None if cost.kind == "Dense" else accounting.receptive_field(vgg16, cost.name).size}
          for cost in costs]  # fmt: skip
whole = {key: sum(row[key] for row in ledger) for key in ("values", "weights", "multiply-adds")}
Table([*ledger, {"layer": "total", **whole}])

# %% alt="Three bar charts over the layers of VGG16. Values: highest in the first two convolutions, then falling in steps to nothing. Multiply-adds: spread over all convolutions, lowest in the first layer and in the last stage, almost nothing in the FC layers. Weights: at most 2 percent in any convolution, then one huge bar, FC6, with 74 percent, and two small ones."
fig, axes = plt.subplots(3, 1, figsize=(8.5, 5.6), sharex=True)
stages = ["grey", "sky", "blue", "green", "orange", "purple", "vermillion"]  # input, stages 1 to 5, FC
part_of = [0 if c.kind == "InputLayer" else 6 if c.kind == "Dense" else int(c.name[5]) for c in costs]
for ax, key in zip(axes, ["values", "multiply-adds", "weights"]):
    share = [100 * row[key] / whole[key] for row in ledger]
    ax.bar(range(len(ledger)), share, color=[COLORS[stages[part]] for part in part_of])
    ax.set_ylabel("% of all")
    ax.set_title(key, loc="left")
axes[2].set_xticks(range(len(ledger)), [row["layer"] for row in ledger], rotation=60, ha="right")
plt.show()

# %%
parts = ["input", "stage 1", "stage 2", "stage 3", "stage 4", "stage 5", "FC"]
shares = {key: [100 * sum(row[key] for row, p in zip(ledger, part_of) if p == part) / whole[key] for part in range(7)]
          for key in whole}  # fmt: skip
Table([{"part": part, **{key: shares[key][k] for key in shares}} for k, part in enumerate(parts)],
      formats=dict.fromkeys(shares, ".1f"), caption="Percent of all values, weights and multiply-adds")  # fmt: skip

# %% [markdown]
# *Most memory is in the early layers*: right, 71 % in the first two stages. *Most parameters are in the late FC
# layers*: right, 89 %, and three quarters in FC6 alone, where 7·7·512 = 25,088 values meet 4,096 units. But lecture 6
# adds that the early layers take most of the compute *time*, too. By multiply-adds they do not: **the middle works
# most**, 60 % in stages 3 and 4. Look at conv1_2, conv2_2, conv3_2 and conv4_2: at each pooling the places fall to a
# quarter, and the weights of a layer, in times out, rise fourfold. The product stays the same. The first layer of a
# stage does half of it, since it reads half as many channels, and stages 3 and 4 have three layers where 1 and 2 have
# two. Only conv1_1 (three channels in) and stage 5 (as wide as stage 4) break the balance.
#
# ### 2.4 Where do 24 million come from?
#
# Under the list the lecture writes *TOTAL memory: 24M * 4 bytes*, on the slides 96 MB, in the notes 93 MB. Add up the
# rows that stand above it: 15.2 million. So what would have to be counted to reach 24 million?

# %%
listed = whole["values"]
relus = sum(cost.activations for cost in costs if cost.kind == "Conv2D") + 2 * 4096
image = ledger[0]["values"]
neighbours = max(a["values"] + b["values"] for a, b in zip(ledger, ledger[1:]))
ways = {
    "the rows of the list, as they stand": listed,
    "… and the output of each ReLU kept beside its input": listed + relus,
    "training: the rows and a gradient for each (none for the image)": 2 * listed - image,
    "test time: two neighbours, all older ones dropped": neighbours,
    "the lecture: 24M": 24_000_000,
}
Table([{"count": way, "values": n, "MB (10^6)": 4 * n / 1e6, "MiB (2^20)": 4 * n / 2**20} for way, n in ways.items()],
      formats={"MB (10^6)": ".1f", "MiB (2^20)": ".1f"})  # fmt: skip

# %% [markdown]
# None of these. The list as it stands is 61 MB an image; with a second copy for each ReLU (some libraries keep one,
# others overwrite) it is 115 MB; 24 million lies between and fits no way of counting that we could think of. Readers
# have asked the authors of the original notes about it since 2016. And 24M · 4 bytes are 96 MB or 91.6 MiB, but 93 of
# neither. The lesson to take home: *add it up yourself*. (On the slide "~ 2 for bwd" has lost its multiplication sign:
# **times** 2 for the backward pass. With the list that is the third row.)
#
# ### 2.5 Before the first layer: subtract the mean colour
#
# VGG's only preparation of an image: from each pixel subtract the mean red, the mean green and the mean blue *of the
# training set*. Three numbers in all. Colours then lie around 0, where weights and biases start.

# %%
photographs = datasets.photographs()
training_set = np.stack([photographs["china"], photographs["flower"]])  # two photographs stand for 1.3 million
mean = training_set.mean(axis=(0, 1, 2))  # over images, rows and columns: three numbers
print("mean red, green, blue:", mean.round(3))

# %% alt="Two rows of three pictures. A temple before a pale sky, the mean colour of both photographs, a dark grey-green, and the difference, in which mid-grey stands for zero. The same for an orange flower on dark green."
shown = training_set[:, ::3, ::3]
centred = 0.5 + (shown - mean) / 2  # zero is drawn as grey
six = np.stack([shown, np.broadcast_to(mean, shown.shape), centred], axis=1).reshape(6, *shown.shape[1:])
plotting.image_grid(six, ["image", "mean colour", "image minus mean"] * 2, columns=3, size=2.6)
plt.show()

# %% [markdown]
# Whoever uses a trained network must prepare images in the same way, with *its* mean. The weights that the authors
# published belong to colours from 0 to 255, in the order blue, green, red. `transfer.preprocess` does all that; what
# it takes away from a white image shows the three numbers:

# %%
white = np.ones((1, 224, 224, 3))
taken = 255 - transfer.preprocess(vgg16, white)[0, 0, 0]
print("mean of ImageNet: blue {:.2f}, green {:.2f}, red {:.2f}".format(*taken))

# %% [markdown]
# The rest of the training is nearly that of AlexNet (the paper's numbers, from memory): gradient descent with momentum
# 0.9, batches of 256, a rate of 0.01 that is divided by 10 three times, weight decay 5e-4, dropout 0.5 in FC6 and FC7,
# images cut out at random, mirrored and changed in colour.
#
# ### 2.6 FC6 is a 7x7 convolution
#
# VGG16 takes 224x224 pixels, because FC6 has a weight for each of the 7x7x512 values of pool5. But an FC layer is a
# convolution whose filter is as large as the volume (lesson 1). Written so, FC6 is **4,096 filters of 7x7x512**, FC7
# and FC8 are 1x1 convolutions, nothing in the network is tied to a size any more, and a larger image gives a *map* of
# class scores. The authors tested their networks in this way and called it **dense evaluation**.

# %%
def as_convolutions(model, **arguments):
    """A VGG with CONV in the place of FC: images of any size in, a map of class scores out."""
    body = VGG(include_top=False, input_shape=(None, None, model.input_shape[-1]), **arguments)
    x, size = body.output, model.get_layer("stage5_pool").output.shape[1]
    for fc in model.layers:
        if isinstance(fc, layers.Dense):
            x = layers.Conv2D(fc.units, size, activation=fc.activation, name=fc.name)(x)
            size = 1  # from the second one on
    return keras.Model(body.input, x)


def copy_weights(model, dense):
    """The same numbers, reshaped: (25088, 4096) becomes (7, 7, 512, 4096)."""
    dense.set_weights([old.reshape(new.shape) for old, new in zip(model.get_weights(), dense.weights)])


# %% [markdown]
# Does it give the same answers? We try it with random weights on a sixteenth of VGG16's width, and on a real photograph:

# %%
narrow = {"configuration": "D", "widths": (4, 8, 16, 32, 32)}
thin = VGG(**narrow, hidden=(64, 64), classes=10)
initialize(thin, "he")
thin_dense = as_convolutions(thin, **narrow)
copy_weights(thin, thin_dense)

photo = photographs["china"][None]  # (1, 427, 640, 3)
crop = photo[:, :224, :224]
one, same, scores = thin(crop), thin_dense(crop), thin_dense(photo)
print("crop of 224x224:", tuple(one.shape), "and", tuple(same.shape), "equal:", np.allclose(one, same[:, 0, 0], atol=1e-4))
print("whole photograph:", tuple(scores.shape))
print("first place of the map, equal to the crop:", np.allclose(one, scores[:, 0, 0], atol=1e-4))

# %% [markdown]
# The photograph gives 7x14 answers at once. But the last line may surprise you: the first answer is *not* what the
# network says about the first 224x224 pixels cut out. Why? Look at how far FC6 can see. (Each dot is the centre of the
# 224x224 window of one answer.)

# %% alt="The photograph of a temple with 7 by 14 dots, the centres of the windows of all answers. A blue square of 224x224 pixels in the upper left corner is the first window, an orange one in the lower right corner the last. A dashed square of 404 pixels, nearly as high as the photograph, is the field of one unit of FC6."
with accounting.unallocated():
    vgg16_dense = as_convolutions(vgg16)
height, width = photo.shape[1:3]
field = accounting.receptive_field(vgg16_dense, "fc6", input_shape=(height, width, 3))
down, right = scores.shape[1:3]
fig, ax = plt.subplots(figsize=(8.5, 5.2))
ax.imshow(photo[0])
ax.plot(*np.meshgrid(112 + 32 * np.arange(right), 112 + 32 * np.arange(down)), "o", color="black", mec="white", ms=5)
for row, column, color, text in [(0, 0, "sky", "first window"), (down - 1, right - 1, "orange", "last window")]:
    square = plt.Rectangle((32 * column, 32 * row), 224, 224, fill=False, color=COLORS[color], lw=3, label=text)
    ax.add_patch(square)
start = 32 * 6 + 112 - field.size / 2, 32 * 3 + 112 - field.size / 2
ax.add_patch(plt.Rectangle(start, field.size, field.size, fill=False, ls="--", lw=2, color=COLORS["vermillion"],
                           label=f"field of FC6: {field.size}x{field.size}"))  # fmt: skip
ax.set(xlim=(-5, width + 5), ylim=(height + 5, -5))
ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3)
ax.axis("off")
plt.show()

# %% [markdown]
# One unit of FC6 sees 404x404 pixels, much more than the window of 224x224. In a crop, all that lies outside is
# **zeros**, which each of 13 layers adds again as padding. In the whole photograph the neighbourhood is really there.
# So dense evaluation is not the same as many crops: it knows more about the surroundings, and the network was trained
# without such surroundings. (The paper, from memory: crops are a little better than dense, the average of both better
# than either.)
#
# What is certain is the price. Overlapping crops compute the same values again and again; densely, each is computed
# once:

# %%
rows = []
one_crop = accounting.totals(vgg16).macs
for size in [(224, 224), (256, 256), (384, 384), (512, 512), (height, width)]:
    places = (size[0] // 32 - 6) * (size[1] // 32 - 6)  # pool5 is 32 times smaller, and FC6 takes 7x7 of it
    macs = accounting.totals(vgg16_dense, input_shape=(*size, 3)).macs
    rows.append({"image": f"{size[0]}x{size[1]}", "answers": places, "dense, GMACs": macs / 1e9,
                 "as single crops": places * one_crop / 1e9, "times as much": places * one_crop / macs})  # fmt: skip
Table(rows)

# %% [markdown]
# To classify one image, the map is averaged over all places, for the image and its mirror image (exercise 4).
#
# ## 3 · Check the lecture
#
# First VGG16's list, row by row, which all three lectures print. M and K are rounded, weights are without biases.

# %%
verdicts, rows = claims.rows("VGG-16 table"), []
for row, values, weights in zip(ledger, verdicts[::2], verdicts[1::2]):
    counted = claims.agrees(row["values"], values["true_value"]) and claims.agrees(row["weights"], weights["true_value"])
    rows.append({"layer": row["layer"], "lecture: values": values["lecture_value"], "values": row["values"],
                 "lecture: weights": weights["lecture_value"], "weights": row["weights"],
                 "verdict": f"{values['verdict']}, {weights['verdict']}" if counted else "NOT THE TRUE VALUE"})  # fmt: skip
Table(rows)

# %% [markdown]
# Every row is right. Then the sentences around it:

# %%
convs = [layer for layer in vgg16.layers if isinstance(layer, layers.Conv2D)]
pools = [layer for layer in vgg16.layers if isinstance(layer, layers.MaxPooling2D)]
alike = all((c.kernel_size, c.strides, c.padding) == ((3, 3), (1, 1), "same") for c in convs)
halving = all((p.pool_size, p.strides) == ((2, 2), (2, 2)) for p in pools)
depth = {name: accounting.weight_layers(net) for name, net in nets.items()}
count = {name: accounting.totals(net).params for name, net in nets.items()}
weight_of = {row["layer"]: row["weights"] for row in ledger}
claims.table(
    ["VGG", "VGG configurations", "VGG-16 totals"],
    computed={
        "l5-059": vgg16.input_shape[1:],
        "l6-097": "3x3, stride 1, pad 1" if alike else "others",
        "l5-060": convs[0].strides[0],
        "l5-061": (convs[0].kernel_size[0] - 1) // 2,
        "l5-063": "2x2, stride 2" if halving else "others",
        "l6-036": "conv 3x3, pool 2x2" if alike and halving else "others",
        "l5-062": len(pools),
        "c9-039": f"{accounting.weight_layers(alexnet)} -> {depth['D']} (D), {depth['E']} (E)",
        "l6-035": depth["D"],
        "l6-037": count["D"],
        "l6-092": f"{weight_of['fc6']:,} of {whole['weights']:,}",
        "l6-038": 100 * vgg16.get_layer("fc6").count_params() / count["D"],
        "l5-136": 100 * sum(c.params for c in costs if c.kind == "Dense") / count["D"],
        "l5-135": shares["values"][1] + shares["values"][2],
        "l6-090": shares["multiply-adds"][1] + shares["multiply-adds"][2],
        **{f"l5-{137 + k}": depth[name] for k, name in enumerate(CONFIGURATIONS)},
        **{f"l5-{143 + k}": count[name] for k, name in enumerate(["A", "B", "C", "D", "E"])},
        "l5-111": count["D"],
        "l5-110": listed,
        "l6-087": listed,
        "l5-134": f"x {round((2 * listed - image) / listed)}",
    },
)

# %% [markdown]
# Two wrong figures (the first point), one wrong sentence and one lost sign, all met above:
#
# * **24M * 4 bytes** (section 2.4): the list adds up to 15.2 million values, 61 MB. And 93 MB is not even 24M · 4 bytes.
# * **Most compute time in the early layers** (2.3): they do 30 % of the multiply-adds; the middle, stages 3 and 4, does
#   60 %. (Seconds depend on the machine, too; we did not measure them here.)
# * **"~ 2"** for the backward pass: read *times* 2.
#
# Three more sentences need a word. *11.7 % → 7.3 %*, the step from 2013 to 2014: both numbers are right, but 11.7 was
# the entry of the company Clarifai, not the ZFNet of the paper (14.8), and 7.3 are seven VGG networks together. One
# alone that sees each image in one size makes 8.0 (*use ensembles for best results*, says the lecture). *VGG19 is only
# slightly better, more memory*: yes, 8.0 beside 8.1 %, for 9 % more values and 27 % more multiply-adds. And lecture 6
# says that the FC layers *can be removed with no loss of performance*: that we test now.

# %% [markdown]
# ## 4 · See it
#
# ### 4.1 One recipe, four depths
#
# The small networks have the rows A, B, D and E of the table, for 32x32 pixels (five halvings leave 1x1), with few
# filters, so that they learn in seconds. The images are scikit-learn's handwritten digits, 1,200 to learn from; the
# full profile takes 20,000 photographs of CIFAR-10. The *recipe* is the same for all: mean subtracted, He's random
# weights (lesson 3 used them, the next lesson explains them), Adam (a gradient descent that fits its step to each
# weight) with a rate that falls to zero along a cosine, no dropout. (Our first try had dropout 0.5 as in the paper, and
# drawn shapes as images: within 8 epochs not even A did better than guessing. The recipe here was then chosen with two
# seeds, on somewhat wider networks.)
#
# **Written down before the runs.** *Hypothesis*: deeper is better. *Metric*: loss on the images that were not trained on
# (validation and test together; with so few a loss says more than a count of mistakes), minus that of A. *Stopping
# rule*: a fixed number of epochs, the last one counts. *Would count against it*: the loss of D or E is not below that
# of A.

# %%
pictures = datasets.load(pick(quick="digits", full="cifar10"), size=32, samples=pick(quick=None, full=20000))
SMALL = pick(quick=(6, 12, 24, 32, 32), full=(16, 32, 64, 128, 128))
HIDDEN = pick(quick=(256, 256), full=(512, 512))
EPOCHS = pick(quick=6, full=10)
average = pictures.train.images.mean(axis=(0, 1, 2))  # one number, or three
learn = datasets.Split(pictures.train.images - average, pictures.train.labels)
both = [np.concatenate(pair) for pair in zip(pictures.validation, pictures.test)]
unseen = datasets.Split(both[0] - average, both[1])


# lowest and highest value that earlier runs allow, by finding
BANDS = pick(quick={
    "vgg_d_minus_a": (-0.08, 0.12),
    "vgg_e_minus_a": (0, 0.18),
    "vgg_e_from_glorot": (2.29, 2.32),
    "vgg_e_from_a": (0.05, 0.6),
    "vgg_d_without_fc": (-0.09, 0.09),
    "vgg_mean_forgotten": (1, 90),
    "vgg_same_answer_among_others": (3, 20),
}, full={
    "vgg_d_minus_a": (-0.5, 0.5), "vgg_e_minus_a": (-0.5, 1.2), "vgg_e_from_glorot": (0.5, 2.31),
    "vgg_e_from_a": (0.3, 2.2), "vgg_d_without_fc": (-0.6, 0.4), "vgg_mean_forgotten": (-2, 70),
    "vgg_same_answer_among_others": (10, 95),
})  # fmt: skip


def earlier(name):
    """The stored runs of a finding."""
    return measured("05_vggnet", name)


def tiny_vgg(configuration, hidden=HIDDEN):
    """A narrow VGG for 32x32 pixels and ten classes, with Keras' (Glorot's) random weights."""
    keras.utils.set_random_seed(seed())
    options = {"input_shape": learn.images.shape[1:], "classes": 10, "classifier_activation": None, "dropout": 0.0}
    return VGG(configuration=configuration, widths=SMALL, hidden=hidden, **options)


def small_vgg(configuration, hidden=HIDDEN):
    """The same with He's random weights."""
    model = tiny_vgg(configuration, hidden)
    initialize(model, "he", rng=seed())
    return model


def train(model, label):
    """The recipe. Returns the history and the results on the unseen images."""
    rate = keras.optimizers.schedules.CosineDecay(1e-3, EPOCHS * -(-len(learn.images) // 32))
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    options = {"metrics": ["accuracy"], "jit_compile": False, "steps_per_execution": 10}
    model.compile(keras.optimizers.Adam(rate), cross_entropy, **options)
    history = training.fit(model, learn, epochs=EPOCHS, batch_size=32, label=label, seed=seed())
    return history, training.evaluate(model, unseen)


# %% trained
runs = {}
for name in ("A", "B", "D", "E"):
    net = small_vgg(name)
    history, result = train(net, f"small {name}")
    runs[name] = {"net": net, "history": history, **result}

rows = [{"network": name, "layers": accounting.weight_layers(run["net"]), "parameters": run["net"].count_params(),
         "multiply-adds": accounting.totals(run["net"]).macs, "training loss": run["history"].final["loss"],
         "loss, unseen": run["loss"], "accuracy, unseen": run["accuracy"]} for name, run in runs.items()]  # fmt: skip
Table(rows, formats={"accuracy, unseen": ".1%"})

# %% trained alt="Left: training loss of A, B, D and E over six epochs; all fall from between 1.4 and 1.8 to nearly zero, the deeper ones a little later. Right: bars of their loss on unseen images, from 0.09 for A to 0.15 for E."
fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), width_ratios=[1.2, 1])
plotting.plot_history({name: run["history"] for name, run in runs.items()}, ax=axes[0])
axes[0].set_title("on the training images")
bars = axes[1].bar(list(runs), [run["loss"] for run in runs.values()], 0.55, color=COLORS["blue"])
axes[1].bar_label(bars, fmt="%.2f")
axes[1].set(title="on unseen images", ylabel="loss", xlabel="configuration")
plt.show()

# %% trained
deeper = {name: runs[name]["loss"] - runs["A"]["loss"] for name in ("B", "D", "E")}
note = {"unit": "in loss", "source": pictures.source}
finding("vgg_d_minus_a", deeper["D"], band=BANDS["vgg_d_minus_a"], **note, verdict="unresolved",
        claim="Depth is critical for good performance: 16 layers are better than 11.")  # fmt: skip
finding("vgg_e_minus_a", deeper["E"], band=BANDS["vgg_e_minus_a"], **note, verdict="contradicts",
        claim="Depth is critical for good performance: 19 layers are better than 11.")  # fmt: skip

# %% trained alt="Two panels, loss of D minus loss of A and loss of E minus loss of A: dots for stored runs with five seeds and two thread counts, a star for this run, the band shaded, a black line at zero. The dots lie near zero; the diamond of the full profile far left of zero for D and far right for E."
fig, axes = plt.subplots(2, 1, figsize=(7, 6.6))
for ax, name in zip(axes, ("D", "E")):
    key = f"vgg_{name.lower()}_minus_a"
    plotting.plot_finding(earlier(key), deeper[name], BANDS[key], title=f"{name} minus A", unit="difference in loss", ax=ax)
    ax.axvline(0, color="black", lw=1)
plt.show()

# %% [markdown]
# Over five seeds and two thread counts the loss of D differs from that of A by −0.02 to 0.06: better in some runs and
# worse in others. That of E differs by 0.02 to 0.12: worse than A in every run. On our digits, then, more layers bring
# nothing. (Nor is it that E learns its training images too well: in the stored run its training loss is higher, too,
# 0.09 beside 0.04.)
#
# Is the paper wrong? No, its question was another one. Digits are easy: A knows its training images nearly by heart
# after six epochs and reads 97 of 100 new ones. There is little left to win, and every further layer is one more that
# must be started. On ImageNet, with 1.3 million photographs in 1,000 classes, A still missed 10 of 100 with five
# guesses, and there depth paid. So depth is not good in itself. It needs a task that is hard enough, enough images, and
# a way to train the deeper layers.
#
# A step towards such a task is the full profile: 20,000 photographs of CIFAR-10, and networks two to four times as wide.
# In its one stored run (the diamonds) the loss of D lies 0.35 *below* that of A: there five more layers pay. That of E
# lies 0.61 *above*, perhaps because ten epochs are too few for its 19 layers (its training loss was not stored). One
# run is no proof, but it shows both sides of the matter. How to train the deeper layers is next.
#
# ### 4.2 How does one start a network of 19 layers?
#
# In 2014 this was the problem. A could be trained from small random weights; the deeper networks did not begin to learn.
# The authors' way out: train A first, then give its first four convolutions and its FC layers to the deeper network as
# first weights, and draw only the layers between at random. (Later they noted that Glorot's weights would have done,
# without A.) We try three starts on E: Glorot's weights everywhere (Keras' default); Glorot's, with A's trained weights
# where they fit; and He's, which is the run of 4.1. Nothing else differs.
#
# **Written down before the runs.** *Hypothesis*: E does not start from Glorot's weights, and it starts with A's.
# *Metric*: training loss in the last epoch. 2.30 = ln 10 is what a network has that knows nothing. *Stopping rule*: as
# in 4.1.

# %%
def take_over(trained, model):
    """Give `model` the first four convolutions and the FC layers of a trained network that is less deep."""
    convolutions = [layer.name for layer in trained.layers if isinstance(layer, layers.Conv2D)]
    for name in [*convolutions[:4], "fc6", "fc7", "output"]:
        model.get_layer(name).set_weights(trained.get_layer(name).get_weights())


def again(net, weights, label):
    """Train a network once more, from other first weights; its graph stays compiled."""
    net.set_weights(weights)
    for variable in net.optimizer.variables:
        variable.assign(ops.zeros_like(variable))  # Adam's memory, and its count of steps
    return training.fit(net, learn, epochs=EPOCHS, batch_size=32, label=label, seed=seed())


# %% trained alt="Training loss of the 19-layer network over the epochs. From Glorot's weights a flat line at 2.30, marked as knowing nothing. With A's weights it falls slowly. From He's weights it falls steeply towards zero."
starts = {"He's weights": runs["E"]["history"]}
glorot = tiny_vgg("E")
starts["Glorot's weights"] = again(runs["E"]["net"], glorot.get_weights(), "small E, Glorot")
take_over(runs["A"]["net"], glorot)
starts["Glorot's, and A's where they fit"] = again(runs["E"]["net"], glorot.get_weights(), "small E, A's weights")

ax = plotting.plot_history(starts)
ax.axhline(np.log(10), color="#595959", ls=":")
ax.text(EPOCHS, np.log(10) - 0.05, "knows nothing", ha="right", va="top", color="#595959")
ax.set_title("small E (19 layers) from three kinds of first weights")
plt.show()

# %% trained
stuck, helped = (starts[name].final["loss"] for name in list(starts)[1:])
finding("vgg_e_from_glorot", stuck, band=BANDS["vgg_e_from_glorot"], **note, verdict="confirms",
        claim="A plain network of 19 layers does not start from Glorot's random weights.")  # fmt: skip
finding("vgg_e_from_a", helped, band=BANDS["vgg_e_from_a"], **note, verdict="confirms",
        claim="The trained weights of A start the deeper network.")  # fmt: skip

# %% [markdown]
# From Glorot's weights E learns nothing in any run (the loss stays at 2.30): it gives every digit the same ten
# probabilities, whatever the picture. Its layers let the signal fade: with ReLU and Glorot's weights each layer keeps
# about half of the mean square, so after 18 layers next to nothing that depends on the image is left. The next lesson
# measures this.
#
# With A's weights at both ends it starts, and comes to 0.17 to 0.29: the trick of 2014 works. He's weights, published a
# year later, come to 0.09 in the stored run and need no first network. (The authors' remark that Glorot's weights would
# have done is not true of *our* E, with this recipe and in so few steps. It may have been of theirs.)
#
# ### 4.3 Are the big FC layers needed?
#
# In VGG16 the three FC layers hold 89 % of all parameters. In our small D the two hidden ones, FC6 and FC7, hold about
# half. Take both out, and let the last layer read pool5 directly.
#
# **Written down before the runs.** *Hypothesis* (lecture 6): nothing is lost. *Metric*: loss on the unseen images
# without them, minus with them. *Stopping rule*: as before. *Would count against it*: a higher loss without them in
# every run.

# %% trained
bare = small_vgg("D", hidden=())
_, without = train(bare, "small D without FC6, FC7")
with_fc = runs["D"]
rows = [{"network": text, "parameters": net.count_params(), "loss, unseen": result["loss"],
         "accuracy, unseen": result["accuracy"]}
        for text, net, result in [("small D", with_fc["net"], with_fc), ("without FC6 and FC7", bare, without)]]  # fmt: skip
finding("vgg_d_without_fc", without["loss"] - with_fc["loss"], band=BANDS["vgg_d_without_fc"], **note,
        verdict="unresolved", claim="The FC layers can be removed with no loss of performance.")  # fmt: skip
Table(rows, formats={"accuracy, unseen": ".1%"})

# %% trained alt="Loss of D without FC6 and FC7 minus loss with them: dots for stored runs on both sides of a black line at zero, a star for this run, and the diamond of the full profile right of the line, at 0.08."
ax = plotting.plot_finding(earlier("vgg_d_without_fc"), without["loss"] - with_fc["loss"], BANDS["vgg_d_without_fc"],
                           title="D without FC6 and FC7, minus with them", unit="difference in loss")  # fmt: skip
ax.axvline(0, color="black", lw=1)
plt.show()

# %% [markdown]
# Without them the loss differs by −0.04 to 0.04 from that with them: on both sides of zero. So we see no loss, at
# half the parameters; but one of less than 0.04 would be hidden by the luck of the seed, and on the photographs of the
# full profile the layers were worth 0.08, in one run. We leave it open. The networks after VGG did choose: from
# GoogLeNet on, nearly all of them put a mean over the places where VGG had FC6 and FC7.
#
# ### 4.4 Two traps at test time
#
# Both need no training: D has learned already.
#
# **The forgotten mean.** The same unseen images, once prepared as in training and once without the subtraction.
#
# **The neighbourhood.** Dense evaluation sees real neighbours where a crop has zeros (2.6). We put each image in the
# middle of a canvas of 96x96: with zeros around it (after the subtraction, so it is the mean grey), with its own mirror
# images, or with other images; and read the answer at the middle of the 3x3 map. *Metric*: how often the answer is that
# of the plain 32x32 image. *Hypothesis*: nearly always, since it is the same image and the same weights.

# %% trained alt="One handwritten digit three times in the middle of a larger canvas, framed in orange: on grey, among its own mirror images, and among eight other digits. Above each the share of answers that stay the same."
reader = runs["D"]["net"]
narrow = {"configuration": "D", "widths": SMALL}
reader_dense = as_convolutions(reader, **narrow)
copy_weights(reader, reader_dense)
raw = both[0][:300]
plain = reader.predict(raw - average, verbose=0).argmax(axis=1)
border = ((0, 0), (32, 32), (32, 32), (0, 0))
tiles = [np.roll(raw, 7 * k, axis=0) for k in (1, 2, 3, 4, 0, 5, 6, 7, 8)]  # the image, and eight others around it
canvases = {
    "zeros": np.pad(raw - average, border) + average,
    "its mirror images": np.pad(raw, border, mode="symmetric"),
    "other images": np.concatenate([np.concatenate(tiles[k : k + 3], axis=2) for k in (0, 3, 6)], axis=1),
}
answers_in = {name: reader_dense.predict(canvas - average, batch_size=100, verbose=0)[:, 1, 1].argmax(axis=1)
              for name, canvas in canvases.items()}  # fmt: skip
agree = {name: 100 * np.mean(answer == plain) for name, answer in answers_in.items()}

fig, axes = plt.subplots(1, 3, figsize=(8.5, 3.3))
for ax, (name, canvas) in zip(axes, canvases.items()):
    ax.imshow(canvas[1], cmap="gray")
    ax.add_patch(plt.Rectangle((31.5, 31.5), 32, 32, fill=False, color=COLORS["orange"], lw=2))
    ax.set_title(f"{name}:\n{agree[name]:.0f} % same answer", fontsize=10)
    ax.axis("off")
plt.show()

# %% trained
forgotten = 100 * (runs["D"]["accuracy"] - training.evaluate(reader, both)["accuracy"])
labels = both[1][:300]
alone = reader_dense.predict(raw - average, verbose=0)[:, 0, 0].argmax(axis=1)  # a map of 1x1
rows = [{"image": "alone", "right": np.mean(alone == labels), "same answer as alone": np.mean(alone == plain)}]
rows += [{"image": f"around it: {name}", "right": np.mean(answer == labels), "same answer as alone": agree[name] / 100}
         for name, answer in answers_in.items()]  # fmt: skip
finding("vgg_mean_forgotten", forgotten, band=BANDS["vgg_mean_forgotten"], unit="points lost", source=pictures.source,
        claim="Images are prepared at test time as in training: minus the mean colour.")  # fmt: skip
finding("vgg_same_answer_among_others", agree["other images"], band=BANDS["vgg_same_answer_among_others"],
        unit="% of the answers", source=pictures.source, verdict="contradicts",
        claim="FC as CONV gives the answers of the crops (with padding inside).")  # fmt: skip
Table(rows, formats={"right": ".0%", "same answer as alone": ".0%"})

# %% [markdown]
# **The mean.** Forgetting it costs 6 to 71 points of accuracy in the stored runs. No error message tells you. With a
# trained network from elsewhere look up its preparation first.
#
# **The neighbourhood.** The hypothesis was wrong, and by far. The same image and the same weights, and among other
# images only 9 to 13 % of the answers stay what they were: that is chance. (The first row shows that the conversion is
# right: for the image alone all answers agree.) Not even zeros around the image help, because they are zeros in the
# input only. In a crop each of the 13 convolutions puts zeros at the border *again*; on the canvas the image's own
# features run over the edge, and come back changed in the next layer. In our small network the last convolutions work
# on maps of 4x4 and 2x2, where nearly every value lies at a border. It has learned with zeros at its side and cannot
# read without them.
#
# The sliding classifier of lesson 1 had no padding inside, and it gave exactly the answers of its crops. VGG16 pads,
# but its last convolutions work on maps of 14x14 places, more middle than border, and in a photograph the neighbours
# belong to the same scene. This may be why dense evaluation worked for the paper. *Padding is a part of what a network
# learns.*

# %% [markdown]
# ## 5 · Exercises
#
# Five with a check, and one in words. Each stands alone: write your answer in place of the line that raises, run the
# cell, then run the check below it.
#
# ### Exercise 1 · The mean colour (1 point)
#
# VGG's preparation (2.5). `train` are the training images and `images` those to prepare, both `(N, H, W, 3)`. Return
# `images` minus the mean red, green and blue of `train`.

# %% exercise="subtract_mean_colour" points=1
def subtract_mean_colour(images, train):
    """Subtract the training set's mean red, green and blue from each pixel."""
    ### BEGIN SOLUTION
    return images - train.mean(axis=(0, 1, 2))
    ### END SOLUTION

# %% check="subtract_mean_colour"
with check("subtract_mean_colour") as c:
    draw = np.random.default_rng(0)
    train_, new_ = draw.random((5, 4, 6, 3)) * [1, 0.5, 0.2], draw.random((2, 4, 6, 3))
    given_ = new_.copy()
    c.close(subtract_mean_colour(given_, train_), new_ - train_.mean(axis=(0, 1, 2)),
            hint="Three numbers: the mean of each colour over all training images, rows and columns.",
            mistakes=[
                (new_ - new_.mean(axis=(0, 1, 2)), "The mean of the training images, not of those to prepare."),
                (new_ - train_.mean(), "One number for all colours: the mean needs one for red, green and blue each."),
                (new_ - train_.mean(axis=0), "That is a mean image, with a value for each pixel: take three numbers."),
                (new_ - new_.mean(axis=(1, 2), keepdims=True), "Every image lost its own mean: use that of `train`."),
                (new_ - train_.mean(axis=(0, 1, 2), keepdims=True)[..., ::-1], "The colours are in the wrong order."),
                (new_ + train_.mean(axis=(0, 1, 2)), "Subtract, do not add."),
                ((new_ - train_.mean(axis=(0, 1, 2))) / train_.std(axis=(0, 1, 2)), "VGG does not divide by anything."),
            ])  # fmt: skip
    c.that(np.array_equal(given_, new_), hint="Your function changed the images that it was given: make new ones.")
    other_ = draw.random((1, 8, 2, 3))
    c.close(subtract_mean_colour(other_, train_), other_ - train_.mean(axis=(0, 1, 2)),
            hint="The images to prepare may have another size and number than the training images.")
### BEGIN HIDDEN TESTS
for _ in range(3):
    a_, b_ = draw.normal(size=(3, 5, 2, 3)), draw.normal(size=(7, 3, 3, 3))
    got_ = subtract_mean_colour(a_, b_)
    assert np.allclose(a_ - got_, [[[b_[..., k].mean() for k in range(3)]]])
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 2 · A stack or one large filter (2 points)
#
# The slide's question. A stack of `depth` 3x3 convolutions (stride 1), with `channels` in and out everywhere, without
# biases. Return three numbers: the side of its receptive field; the weights of the stack; the weights of **one**
# convolution that sees as far, with as many channels.

# %% exercise="stack_or_one" points=2
def stack_or_one(depth, channels):
    """(field, weights of the stack of 3x3, weights of one layer with the same field)."""
    ### BEGIN SOLUTION
    field = 1 + 2 * depth
    return field, depth * 9 * channels**2, field**2 * channels**2
    ### END SOLUTION

# %% check="stack_or_one"
with check("stack_or_one") as c:
    field_, stack_, single_ = stack_or_one(3, 64)
    c.equal(field_, 7, hint="Each 3x3 layer adds one pixel on each side: 3, 5, 7.",
            mistakes=[(9, "Fields overlap: a layer adds 2 pixels, not 3."), (27, "Fields add up, they do not multiply."),
                      (6, "Begin with the pixel itself: 1 + 2 + 2 + 2."), (3, "That is one layer: how far do three see?")])  # fmt: skip
    c.equal(stack_, 27 * 64**2, hint="Each layer has 64 filters of 3·3·64 weights, and there are three.",
            mistakes=[(9 * 64**2, "That is one layer of the stack."), (27 * 64, "A filter goes through all 64 channels."),
                      (27, "Multiply by the channels in and the channels out."),
                      (27 * 64**2 + 192, "Without biases, please.")])  # fmt: skip
    c.equal(single_, 49 * 64**2, hint="64 filters of 7·7·64 weights.",
            mistakes=[(7 * 64**2, "A window of side 7 has 7·7 places."), (49 * 64, "A filter goes through all 64 channels."),
                      (9 * 64**2, "One filter that sees as far as the stack: 7x7."),
                      (49 * 64**2 + 64, "Without biases, please.")])  # fmt: skip
    c.equal(stack_or_one(2, 10), (5, 1800, 2500), hint="Two layers see 5x5: use `depth` and `channels`.")
    c.equal(stack_or_one(1, 3), (3, 81, 81), hint="A stack of one layer is that layer.")
### BEGIN HIDDEN TESTS
for depth_, channels_ in [(4, 5), (5, 1), (2, 128), (6, 7)]:
    stack_ = [layers.Conv2D(channels_, 3, use_bias=False, name=f"c{k}") for k in range(depth_)]
    model_ = keras.Sequential([keras.Input((32, 32, channels_)), *stack_])
    side_ = accounting.receptive_field(model_, f"c{depth_ - 1}").size
    one_ = keras.Sequential([keras.Input((32, 32, channels_)), layers.Conv2D(channels_, side_, use_bias=False)])
    assert tuple(stack_or_one(depth_, channels_)) == (side_, model_.count_params(), one_.count_params())
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 3 · One row of the memory table (2 points)
#
# Write the lecture's list by program. `name` is, for example, "conv3-64" (3x3 convolution with 64 filters, padding and
# stride 1), "maxpool" (2x2, stride 2; sizes are even) or "FC-4096"; other numbers are possible. `volume` is what goes
# in, such as `(224, 224, 3)` or `(4096,)`. Return the volume that comes out, the number of its values, and the number
# of weights without biases.

# %% exercise="memory_row" points=2
def memory_row(name, volume):
    """(volume out, values, weights) of one layer of VGG."""
    ### BEGIN SOLUTION
    inputs, weights = int(np.prod(volume)), 0
    if name == "maxpool":
        out = (volume[0] // 2, volume[1] // 2, volume[2])
    elif name.startswith("conv"):
        size, filters = map(int, name.removeprefix("conv").split("-"))
        out, weights = (*volume[:2], filters), size * size * volume[2] * filters
    else:
        units = int(name.removeprefix("FC-"))
        out, weights = (units,), inputs * units
    return out, int(np.prod(out)), weights
    ### END SOLUTION

# %% check="memory_row"
with check("memory_row") as c:
    out_, values_, weights_ = memory_row("conv3-64", (224, 224, 3))
    c.equal(out_, (224, 224, 64), hint="Padding keeps 224x224; one map for each of the 64 filters.",
            mistakes=[((222, 222, 64), "VGG pads: a convolution keeps the size."),
                      ((224, 224, 3), "The depth becomes the number of filters.")])  # fmt: skip
    c.equal(values_, 3211264, hint="224·224·64 values come out.",
            mistakes=[(150528, "Count what comes out, not what goes in."), (4 * 3211264, "Values, not bytes.")])
    c.equal(weights_, 1728, hint="64 filters of 3·3·3 weights.",
            mistakes=[(1792, "Without biases, as in the lecture's list."), (576, "A filter goes through the full depth."),
                      (36864, "A filter is as deep as the volume that comes in: 3, not 64.")])  # fmt: skip
    c.equal(memory_row("maxpool", (56, 56, 256)), ((28, 28, 256), 200704, 0),
            hint="Half as high, half as wide, the same depth, and nothing to learn.",
            mistakes=[(((28, 28, 128), 100352, 0), "Pooling keeps the depth.")])  # fmt: skip
    c.equal(memory_row("FC-4096", (7, 7, 512)), ((4096,), 4096, 102760448), hint="Each of 4096 units reads 7·7·512 values.",
            mistakes=[(((4096,), 4096, 4096 * 512), "A unit reads every value of the volume, all places of it.")])  # fmt: skip
    c.equal(memory_row("FC-1000", (4096,)), ((1000,), 1000, 4096000), hint="FC behind FC: the volume is (4096,).")
    c.equal(memory_row("conv1-256", (56, 56, 256)), ((56, 56, 256), 802816, 65536),
            hint="A 1x1 filter has one weight for each channel: read its size from the name.",
            mistakes=[(((56, 56, 256), 802816, 589824), "This one is 1x1: read the size of the filter from the name.")])  # fmt: skip
### BEGIN HIDDEN TESTS
volume_, sums_ = (224, 224, 3), [224 * 224 * 3, 0]
for name_ in ["conv3-64"] * 2 + ["maxpool"] + ["conv3-128"] * 2 + ["maxpool"] + ["conv3-256"] * 3 + ["maxpool"] + (
    ["conv3-512"] * 3 + ["maxpool"]) * 2 + ["FC-4096", "FC-4096", "FC-1000"]:  # fmt: skip
    volume_, *both_ = memory_row(name_, volume_)
    sums_ = [a_ + b_ for a_, b_ in zip(sums_, both_, strict=True)]
assert sums_ == [15237608, 138344128] and tuple(volume_) == (1000,)
for name_, right_ in [("conv5-7", ((10, 6, 7), 420, 350)), ("maxpool", ((5, 3, 2), 30, 0))]:
    volume_, *both_ = memory_row(name_, (10, 6, 2))
    assert (tuple(volume_), *both_) == right_, name_
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 4 · Dense evaluation (2 points)
#
# Call `model` as a function: `model(images)` takes a NumPy array `(N, H, W, 3)` and returns a map of probabilities
# `(N, h, w, classes)`, as in 2.6. (`model.predict` does not work here: the check uses a stand-in that is no Keras
# model.) Return the probabilities `(N, classes)`: the mean over all places of the map, for the image and for its
# **mirror image** (left and right exchanged), and the mean of these two.

# %% exercise="dense_evaluation" points=2
def dense_evaluation(model, images):
    """Probabilities (N, classes): mean over the places of the map, and over image and mirror image."""
    ### BEGIN SOLUTION
    both = [ops.convert_to_numpy(model(view)) for view in (images, images[:, :, ::-1])]
    return np.mean(both, axis=(0, 2, 3))
    ### END SOLUTION

# %% check="dense_evaluation"
def slanted(images):
    """A stand-in for a network: three classes, and places further right and down answer more strongly."""
    down, right = (np.linspace(0.2, 3, side // 2) for side in images.shape[1:3])
    maps = np.exp(np.asarray(images)[:, ::2, ::2] * right[:, None] * down[:, None, None])
    return maps / maps.sum(axis=-1, keepdims=True)


with check("dense_evaluation") as c:
    draw = np.random.default_rng(0)
    two_ = draw.random((2, 6, 10, 3)) * [1, 2, 3]
    plain_, mirrored_ = slanted(two_), slanted(two_[:, :, ::-1])
    upside_ = slanted(two_[:, ::-1])
    right_ = (plain_.mean(axis=(1, 2)) + mirrored_.mean(axis=(1, 2))) / 2
    c.close(dense_evaluation(slanted, two_), right_,
            hint="model(image) and model(mirror image): the mean over places of each, then the mean of both.",
            mistakes=[
                (plain_.mean(axis=(1, 2)), "The mirror image is missing. (To mirror the *map* changes nothing: its mean "
                 "stays the same. Mirror the image and run the network again.)"),
                (mirrored_.mean(axis=(1, 2)), "Image *and* mirror image: the image itself is missing."),
                (2 * right_, "Take the mean of the two, not the sum."),
                ((plain_.mean(axis=(1, 2)) + upside_.mean(axis=(1, 2))) / 2,
                 "That exchanges top and bottom. Axis 2 goes from left to right."),
                ((plain_.max(axis=(1, 2)) + mirrored_.max(axis=(1, 2))) / 2, "The mean over all places, not the largest."),
                ((plain_[:, 1, 2] + mirrored_[:, 1, 2]) / 2, "All places of the map count, not only the middle."),
                ((plain_ + mirrored_) / 2, "One vector an image: take the mean over the places too."),
            ])  # fmt: skip
    c.equal(np.shape(dense_evaluation(slanted, two_[:1])), (1, 3), hint="One image too gives (1, classes).")
### BEGIN HIDDEN TESTS
keras.utils.set_random_seed(0)
conv_ = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 5, strides=3, activation="softmax")])
for shape_ in [(3, 11, 20, 3), (1, 5, 5, 3), (4, 17, 8, 3)]:
    images_ = draw.normal(size=shape_).astype("float32")
    maps_ = [np.asarray(conv_(images_)), np.asarray(conv_(np.flip(images_, 2).copy()))]
    right_ = sum(m_.reshape(len(m_), -1, 4).mean(axis=1) for m_ in maps_) / 2
    got_ = np.asarray(dense_evaluation(conv_, images_))
    assert got_.shape == right_.shape and np.allclose(got_, right_, atol=1e-5), shape_
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 5 · Build a network from its row (3 points)
#
# A small project: write the builder. `row` is a row of the table in 2.2, without LRN: a tuple of kernel sizes for each
# stage. `widths` has the number of filters of each stage, `hidden` the units of the hidden FC layers. Every convolution
# has "same" padding and ReLU, each stage ends in a 2x2 max pooling; the hidden FC layers have ReLU; the last layer has
# `classes` units and softmax. Leave dropout out. Use `keras.layers` (the library's `VGG` would pass, but teach you
# nothing).

# %% exercise="build_vgg" points=3
def build_vgg(row, widths, hidden, classes=10, side=32):
    """A VGG from a row of configurations, for images of side x side x 3."""
    ### BEGIN SOLUTION
    model = keras.Sequential([keras.Input((side, side, 3))])
    for kernel_sizes, filters in zip(row, widths, strict=True):
        for size in kernel_sizes:
            model.add(layers.Conv2D(filters, size, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    for units in hidden:
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    return model
    ### END SOLUTION

# %% check="build_vgg"
def answers(model, images, seed=0):
    """The model's outputs with weights that depend only on their shapes."""
    draw, kept = np.random.default_rng(seed), model.get_weights()
    model.set_weights([draw.normal(0.05, (2 / max(1, w[..., 0].size)) ** 0.5, w.shape) for w in kept])
    return ops.convert_to_numpy(model(images))


def library_vgg(name, widths, hidden, classes=10):
    return VGG(configuration=name, input_shape=(32, 32, 3), widths=widths, hidden=hidden, classes=classes)


def other_vgg(row, widths, hidden, classes, padding="same", relu="relu", last="softmax", pool=layers.MaxPooling2D):
    """The library's kind of network, with one thing changed."""
    parts = [[layers.Conv2D(w, k, padding=padding, activation=relu) for k in sizes] + [pool(2)]
             for sizes, w in zip(row, widths)]  # fmt: skip
    head = [layers.Flatten(), *[layers.Dense(units, activation="relu") for units in hidden]]
    flat = [layer for part in parts for layer in part]
    return keras.Sequential([keras.Input((32, 32, 3)), *flat, *head, layers.Dense(classes, activation=last)])


with check("build_vgg") as c:
    widths_ = (4, 5, 6, 7, 8)
    model = build_vgg(CONFIGURATIONS["C"], widths_, (12, 11))
    right_ = library_vgg("C", widths_, (12, 11))
    c.that(isinstance(model, keras.Model), hint="Return a Keras model, such as keras.Sequential([...]).")
    c.that(model.built, hint="The model does not know its input: begin with keras.Input((side, side, 3)).")
    c.equal(model.input_shape, (None, 32, 32, 3), hint="The input is keras.Input((side, side, 3)).")
    seen_, wanted_ = ([tuple(layer.output.shape[1:]) for layer in net.layers
                       if type(layer).__name__.endswith(("Conv2D", "Pooling2D"))] for net in (model, right_))  # fmt: skip
    c.equal(len(seen_), len(wanted_), hint="C has 13 convolutions and 5 poolings: one pooling ends each stage.",
            mistakes=[(13, "The poolings are missing: one at the end of each stage."),
                      (17, "The last stage ends in a pooling too."),
                      (10, "One convolution for each number in the row: a stage has one, two or more.")])  # fmt: skip
    yours_ = ", ".join("x".join(map(str, shape)) for shape in seen_[:4])
    c.equal(seen_, wanted_, hint=f"Padding keeps the size, pooling halves it. Your first volumes: {yours_}.", reveal=False)
    c.equal(model.count_params(), right_.count_params(), hint="Volumes right, parameters wrong.", mistakes=[
        (library_vgg("D", widths_, (12, 11)).count_params(),
         "All your filters are 3x3: read the size from the row. C has three 1x1 convolutions."),
        (library_vgg("C", widths_, ()).count_params(), "The hidden FC layers are missing."),
        (library_vgg("C", widths_, (12,)).count_params(), "One FC layer for each entry of `hidden`."),
    ], reveal=False)  # fmt: skip
    images_ = np.random.default_rng(1).random((3, 32, 32, 3)).astype("float32")
    setting_ = (CONFIGURATIONS["C"], widths_, (12, 11), 10)
    c.close(answers(model, images_), answers(right_, images_), atol=1e-4,
            hint="Sizes right, numbers wrong. ReLU in all hidden layers? Max pooling? Softmax at the end?",
            mistakes=[
                (answers(other_vgg(*setting_, relu=None), images_), "The convolutions have no ReLU."),
                (answers(other_vgg(*setting_, last=None), images_), "The last layer needs softmax."),
                (answers(other_vgg(*setting_, last="relu"), images_), "The last layer has softmax, not ReLU."),
                (answers(other_vgg(*setting_, pool=layers.AveragePooling2D), images_), "That is average pooling: VGG has max."),
            ])  # fmt: skip
    c.equal(build_vgg(((3,), (3,)), (4, 6), (), classes=7, side=8).output_shape, (None, 7),
            hint="Any number of stages, no hidden FC layer at all, and other sizes must work too.")
### BEGIN HIDDEN TESTS
for name_ in ("A", "B", "D", "E"):
    mine_ = build_vgg(CONFIGURATIONS[name_], (2, 3, 4, 5, 6), (9,), classes=4)
    library_ = library_vgg(name_, (2, 3, 4, 5, 6), (9,), 4)
    assert mine_.count_params() == library_.count_params(), name_
    assert np.allclose(answers(mine_, images_), answers(library_, images_), atol=1e-4), name_
small_ = build_vgg(((3, 1), (5,)), (4, 6), (5, 3), classes=7, side=12)
assert small_.count_params() == 112 + 20 + 606 + (54 * 5 + 5) + 18 + 28
### END HIDDEN TESTS

# %% [markdown]
# ### Exercise 6 · Explain what you saw (2 points, read by a teacher)
#
# Take FC6 and FC7 out of VGG16, so that FC-1000 reads the 7x7x512 values of pool5, or, in a second version, their mean
# over the 49 places (512 values). How many of the 138 million parameters are left in each version? What happens to the
# memory of the activations, and to the multiply-adds? Use the table of 2.3. Which of the two versions can read images
# of any size without being rewritten, and why?

# %% [markdown] exercise="explain_without_fc" points=2
# The convolutions have 14.7 million parameters. FC-1000 on 25,088 values has 25.1 million, so 39.8 million are left in
# the first version; on the mean it has 512·1000 + 1000 = 0.5 million, so 15.2 million are left: a ninth of VGG16.
#
# Memory and work hardly notice. FC6 and FC7 put out 8,192 of 15.2 million values. They do 120 million of 15,470
# million multiply-adds (each of their weights is used once for an image, a weight of a convolution at every place), so
# even without them 99 % of the work is left. Parameters, memory and work sit in different layers, and to save one of
# them says nothing about the others.
#
# The version with the mean reads any size: convolutions, pooling and a mean have no weight that belongs to a place. In
# the first version FC-1000 has a weight for each of the 49 places, so it must be rewritten as a 7x7 convolution (2.6),
# and then gives a map of answers.

# %% [markdown]
# ## 6 · Wrap-up
#
# First your guesses:

# %% trained
best = min(runs, key=lambda name: runs[name]["loss"])
prediction("Why smaller filters?", my_guess_why, "a",
           explain="27C² weights beside 49C², three ReLUs beside one, the same field. The volumes need more memory, not less.")
prediction("Which part of VGG16 holds most parameters?", my_guess_parameters, "FC",
           explain=f"{shares['weights'][6]:.0f} % in three FC layers, 74 % in FC6 alone.")
prediction("Which part does the most multiply-adds?", my_guess_work, "stage 3" if my_guess_work == "stage 3" else "stage 4",
           explain="Stages 3 and 4 do 29.9 % each; both answers count.")
prediction("E's work beside A's", my_guess_times, round(work_ratio, 2), unit="times", tolerance=0.3,
           explain="8 more layers, 8 % more parameters, 158 % more multiply-adds.")
prediction("Lowest loss on new images: small A, B, D or E?", my_guess_best, best,
           explain="With one seed; the differences are small. Section 4.1 shows more runs of A, D and E.")  # fmt: skip

# %% [markdown]
# What the lectures said, and what we measured:

# %% trained
findings_table()

# %% [markdown]
# **In short.** VGG is one rule, repeated: 3x3 convolutions with padding, 2x2 pooling, twice the filters at half the
# size. Six rows of a table give six networks of 11 to 19 layers, with nearly the same number of parameters, because the
# FC layers hold most of them. Memory is early, work is in the middle, parameters are late. With FC as CONV the network
# reads larger images and gives a map of answers. Depth helped on ImageNet and not on our easy digits; and a deep plain
# network must be started with care.
#
# These are the findings of easy digits. The last column of the table is the full profile's: the same experiments on
# 20,000 photographs of CIFAR-10, once (`COURSE_PROFILE=full`; its time was not stored).
#
# What stayed of VGG: stacks of 3x3, stages that halve the size and double the filters, names like *conv4_3*, and its
# features. The 4,096 values of FC7 describe an image so well that they serve for other tasks too (such transfer is the
# subject of lesson 19). What went: the big FC layers. And plain stacks did not grow much deeper than this.
#
# **References**
# * K. Simonyan, A. Zisserman, *Very Deep Convolutional Networks for Large-Scale Image Recognition*, ICLR 2015,
#   arXiv:1409.1556: table 1 is our table, section 3.2 dense evaluation.
# * P. Sermanet et al., *OverFeat*, 2013, arXiv:1312.6229: FC as CONV on larger images.
# * X. Glorot, Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS 2010.
# * K. He, X. Zhang, S. Ren, J. Sun, *Delving Deep into Rectifiers*, 2015, arXiv:1502.01852: how to start such networks.
# * The sum of 24 million: asked about as number 88 in the repository cs231n/cs231n.github.io, 2016.
#
# **Next.** Depth was held up by its start. The next lesson looks at first weights: what they do to a signal on its way
# through 6 or 20 layers, and which ones keep it alive.
