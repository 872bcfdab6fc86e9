# %% [markdown]
# # 0 · Start here
#
# *All lectures*
#
# Between 1998 and 2019, networks made of convolutions went from reading the digits on a cheque to naming a
# thousand kinds of things in photographs. Which ideas carried that, and how would you know that they are true
# and not only said? This lesson shows you around: what the course holds, how it works with you, and the map of
# the networks that you are going to build.
#
# **Know first**: a little Python and NumPy, and what a neural network with one hidden layer is. Everything
# about convolution is built up in lesson 1.

# %% setup
import course_lib

course_lib.start()

# %% [markdown]
# If the two lines above name a Keras version and a data set, your machine is ready. If not, show your teacher what
# they say, and the table that the next cell makes:

# %% machine
print(course_lib.report())

# %% [markdown]
# Now the parts of the library that this lesson uses.

# %%
import keras
import matplotlib.pyplot as plt

from course_lib import accounting, architectures, claims, datasets, plotting, training
from course_lib.checks import check, finding, findings_table, measured, prediction
from course_lib.tables import Table

# %% [markdown]
# ## How a lesson goes
#
# Every lesson has the same six parts.
#
# | part | what you do |
# | --- | --- |
# | **Predict** | guess a few answers before anything runs; a wrong guess teaches more than none |
# | **Build it** | make the idea by hand on a tiny case, then meet the full network |
# | **Check the lecture** | see the figures of the slides beside what we compute and what the papers say |
# | **See it** | run a real experiment, on real or on generated images; it ends in a *finding* |
# | **Exercises** | write code; a check tells you at once whether it is right, and if not, what to look at |
# | **Wrap-up** | what the lecture said, what we measured, your guesses, where to read more |
#
# Two words that you will meet often. A **claim** is something that a lecture says. A **finding** is what we
# measured about it, with the band in which the value must lie whenever anyone runs the lesson. A finding may
# *confirm* a claim, *contradict* it, or leave it *unresolved*: all three are honest results.
#
# This lesson is a small copy of the others, so that you see each part once.

# %% [markdown]
# ## Predict
#
# Write your guesses in place of `None`. They are not marked. (`None` is allowed: no guess.)
#
# 1. LeNet-5 (1998) reads digits. How many parameters, numbers to be learned, does it have?
# 2. AlexNet (2012) names objects in photographs. How many times more parameters does it have?
# 3. GoogLeNet (2014) makes about half as many mistakes as AlexNet. Does it have *more* or *fewer* parameters?
#
# A number within a fifth of the true one counts as right.

# %%
my_guess_lenet = None  # a number, such as 1000
my_guess_ratio = None  # a number: AlexNet's parameters divided by LeNet-5's
my_guess_googlenet = None  # "more" or "fewer"

# %% [markdown]
# ## Build it: a network in one line
#
# The library builds each network of the lectures by its name. What comes back is a plain Keras model. This is
# LeNet-5, drawn from the model itself: each box is a *volume* of numbers, its height and width as you see
# them; the more channels, the thicker it is. An image enters on the left; ten scores, one for each digit,
# leave on the right.

# %% alt="LeNet-5 as a row of boxes. A 32 by 32 image becomes six maps of 28 by 28, then smaller and thicker boxes, then bars of 120, 84 and 10 numbers."
lenet = architectures.build("LeNet5")
plotting.plot_architecture(lenet)
plt.show()

# %% [markdown]
# The same model tells us what it costs. *parameters* counts the numbers that are learned, *MACs* the
# multiplications (each followed by an addition) for one image, *memory* the bytes of what the layer puts out.
# (*field* and *stride* come in lessons 1 and 2.)

# %%
accounting.cost_table(lenet)

# %% [markdown]
# ## Check the lecture: the map of the course
#
# Here are fifteen of the networks that the lectures name: how often a network is wrong on ImageNet, as its paper says
# (top-5 error: the true name is not among its five guesses; lower is better), how much it computes for one
# image (to the right is more), how many parameters it has (the area) and when it was published (the colour).

# %% alt="A chart of networks by computation and error. From AlexNet in 2012 the discs come down towards fewer errors; newer networks such as EfficientNet-B0 and B3 stand lower and further left than the older VGG-16."
atlas = claims.published()
NAMED = ["AlexNet", "ZFNet", "GoogLeNet", "VGG16", "ResNet34", "ResNet50", "ResNet152", "DenseNet201", "SqueezeNet"]
NAMED += ["SEResNeXt50", "NASNetMobile", "NASNetLarge", "EfficientNetB0", "EfficientNetB3", "EfficientNetB7"]
fig, ax = plt.subplots(figsize=(9.5, 6))
plotting.plot_atlas([row for row in atlas if row["name"] in NAMED], ax=ax)
plt.show()

# %% [markdown]
# Three things to notice; each is a part of the course.
#
# * **Down**: from 2012 on, errors fall. Depth (VGG), parallel filters (GoogLeNet) and shortcuts (ResNet) did most
#   of it.
# * **To the left at the same height**: later networks reach an old accuracy for a fraction of the work. Follow
#   the height of VGG-16 to the left: NASNet-Mobile stands there with a twenty-seventh of the multiplications.
# * **Area is not height**: VGG-16 has the largest disc and is not the best. SqueezeNet stands a little above AlexNet
#   with a disc fifty times smaller. Parameters are easy to add; the question is where.
#
# The errors are those of the papers; parameters and MACs are counted (`plotting.plot_atlas(atlas)` draws all networks
# whose error is known). The course has rebuilt the networks as Keras models and counted for each: weight
# layers on the longest way from image to answer, parameters, MACs, and the side of the square of pixels that one
# unit of the last maps is connected to (the *receptive field*; lesson 2 shows how it grows). The last maps are the
# last volume larger than 1x1: for LeNet-5 that is S4, with 16 in the table above. The field can be larger than the
# image, since it counts the zeros around the image, too; "image": each unit sees all of it. Compare LeNet-5 with the
# others.

# %%
SOME = ["LeNet5", "AlexNet", "VGG16", "GoogLeNet", "ResNet50", "DenseNet121"]
SOME += ["SqueezeNet", "MobileNet", "EfficientNetB0", "EfficientNetB7"]
counted = {row["name"]: row for row in claims.atlas()}
columns = {
    "name": "network",
    "year": "year",
    "weight_layers": "weight layers",
    "trainable_params": "parameters",
    "macs": "MACs",
    "receptive_field": "receptive field",
    "imagenet_top5_error": "top-5 error (%)",
}
Table([counted[name] for name in SOME], columns, formats={"year": "d"})

# %% [markdown]
# All of them, drawn to one scale, stand in `docs/atlas.md` of the course's repository (it is not in the students' zip).
#
# The rise was a contest: each year until 2017, teams sent in their networks' answers on test images whose true
# names were kept secret. The lectures show its winners.

# %%
claims.table("ILSVRC winners")

# %% [markdown]
# The lectures give many figures. Each lesson shows those of its topic beside the true ones, with a verdict:
# *exact*, *rounded*, *wrong*, or *it depends*; "not verified" means that we could not look it up, so we do not
# judge. Here is LeNet-5's, with what we just computed.

# %%
claims.table("LeNet-5", computed={"l5-005": accounting.totals(lenet).params})

# %% [markdown]
# The slide's 60,000 is true, but of another network: the one of 1998, whose second convolution is only partly
# connected. The table that stands beside it on the slide counts to 61,706. Lesson 3 builds both.

# %% [markdown]
# ## See it: train a network, record a finding
#
# **Hypothesis**: LeNet-5, at its first attempt and in a few seconds, reads most handwritten digits right.
# **Metric**: the share of right answers on test images that it never saw. **Stop**: after 6 epochs (an epoch
# is one pass through the training images), whatever comes out.
#
# The images are real: 1,797 digits written by 13 people, 8x8 pixels each, here enlarged to the 32x32 pixels
# that LeNet-5 takes. They come with scikit-learn, so no internet is needed.

# %% alt="Twelve handwritten digits, grey on black, with their labels."
digits = datasets.load("digits", size=32)
plotting.image_grid(digits.train.images[:12], titles=digits.train.labels[:12], columns=6)
plt.show()

# %% trained alt="Two curves over six epochs: the loss on training images falls all the way, steeply at first; the loss on validation images starts lower, falls more slowly, and hardly at all in the end."
keras.utils.set_random_seed(course_lib.seed())
lenet = architectures.build("LeNet5")
lenet.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = training.fit(lenet, digits.train, digits.validation, epochs=6, batch_size=32, label="LeNet-5")
plotting.plot_history(history, "loss")
plt.show()

# %% [markdown]
# The loss says how surprised the network is by the true answers; training makes it smaller. Now the test
# images, and the finding with its band.

# %% trained
accuracy = training.evaluate(lenet, digits.test)["accuracy"]
finding(
    "start_digits_accuracy",
    accuracy,
    band=(0.93, 1.0),
    claim="a small convolutional network learns to read digits",
    verdict="confirms",
    unit="of the test images right",
    source=digits.source,
)

# %% [markdown]
# One run proves little: another start of the weights gives another number. So every finding was measured
# beforehand with five seeds (starts) and two numbers of processor threads (in the repository `course measure 00`
# repeats it). The dots and the squares show these runs; the star is yours, just now.

# %% trained alt="Five dots, each in a square, between 0.966 and 0.977 inside the shaded band from 0.93 to 1, and a star for this run."
runs = measured("00_start_here", "start_digits_accuracy")
plotting.plot_finding(runs, accuracy, (0.93, 1.0), title="LeNet-5 on handwritten digits", unit="share read rightly")
plt.show()

# %% [markdown]
# ## Exercise: your first answer
#
# *2 points.* An image of `height` x `width` pixels with `channels` colours is a volume of numbers. How many
# numbers? And how many bytes, if each number takes `bytes_per_value` bytes? Fill in the function below: delete
# the line `raise NotImplementedError` and write your answer in its place. Then run the cell, and the check
# below it.
#
# For example, a colour image of 32x32 pixels with 4 bytes a number has 3,072 numbers and takes 12,288 bytes.

# %% exercise="start_volume" points=2
def volume_size(height, width, channels, bytes_per_value=4):
    """Return the pair (numbers, bytes) of an image volume."""
    ### BEGIN SOLUTION
    numbers = height * width * channels
    return numbers, numbers * bytes_per_value
    ### END SOLUTION


# %% check="start_volume"
with check("start_volume") as c:
    c.equal(
        volume_size(32, 32, 3),
        (3072, 12288),
        hint="Multiply height, width and channels; then multiply by the bytes of one number.",
        mistakes=[
            ((1024, 4096), "The channels are missing: a colour image has three numbers at each pixel."),
            (3072, "Return two values: the numbers and the bytes, separated by a comma."),
            (12288, "Return two values: the numbers and the bytes, separated by a comma."),
            ((12288, 3072), "The order is (numbers, bytes)."),
            ((3072, 3072), "Bytes: each number takes bytes_per_value of them."),
        ],
    )
    c.equal(
        volume_size(28, 28, 1, bytes_per_value=1),
        (784, 784),
        hint="bytes_per_value can be other than 4: use the argument.",
    )
    c.equal(volume_size(2, 5, 3), (30, 120), hint="Height and width can differ.")
### BEGIN HIDDEN TESTS
assert volume_size(227, 227, 3) == (154587, 618348)
assert volume_size(1, 7, 10, 2) == (70, 140)
### END HIDDEN TESTS

# %% [markdown]
# That is how all exercises work:
#
# * the check prints *passed*, *not passed* with a hint, or *not answered yet*; it never stops the notebook;
# * run it as often as you like: nothing is counted;
# * to hand in, save the notebook and give in the file `.ipynb` as your course tells you. It is run again with
#   the same checks and a few more cases, so an answer that only fits the shown example does not pass;
# * do not rename or delete the cells of an exercise. You may add cells anywhere.
#
# One exercise in each lesson asks for words instead of code; a person reads it.

# %% [markdown]
# ## Exercise: in your own words
#
# *1 point.* Look at the map again. Name one network that errs less than another one with more computation,
# and say what that tells you about "bigger is better". Two or three sentences.

# %% [markdown] exercise="start_map" points=1
# EfficientNet-B0 stands lower than VGG-16: it errs less and needs about forty times fewer multiplications. More
# computation is therefore not enough to be better, and not needed for it; how the computation is arranged
# matters at least as much. (Some of the difference also comes from newer ways of training.)

# %% [markdown]
# ## The course's library in one look
#
# | you want to | use |
# | --- | --- |
# | build a network | `architectures.build("LeNet5")` gives a Keras model |
# | know what it costs | `accounting.cost_table(model)`, `accounting.totals(model)` |
# | have images | `datasets.load("digits")`, `"shapes"`, `"mnist"`, `"cifar10"`; `datasets.photographs()` |
# | train | `training.fit(model, ...)`: a progress bar, and a history that is a table |
# | look inside | `visualization.filters`, `visualization.feature_maps` |
# | draw | `plotting.plot_architecture(model)`, `plotting.image_grid(images)`, `plotting.plot_history(history)` |
# | see a lecture's figures | `claims.table("LeNet-5")` |
#
# Put a question mark behind a name to read about it: `training.fit?`
#
# Each lesson runs in two profiles. *Quick*, the usual one, takes seconds and needs neither internet nor a GPU.
# *Full* uses the real data sets: run `%env COURSE_PROFILE=full` in a cell before the first one.

# %% [markdown]
# ## Wrap-up
#
# Your guesses first.

# %%
lenet_params = accounting.totals(architectures.build("LeNet5")).params
params = {row["name"]: row["params"] for row in atlas}
prediction("Parameters of LeNet-5", my_guess_lenet, lenet_params, tolerance=0.2 * lenet_params)
ratio = round(params["AlexNet"] / lenet_params)
prediction("AlexNet's parameters, as a multiple of LeNet-5's", my_guess_ratio, ratio, tolerance=0.2 * ratio)
prediction(
    "Parameters of GoogLeNet, compared with AlexNet",
    my_guess_googlenet,
    "fewer" if params["GoogLeNet"] < params["AlexNet"] else "more",
    explain=f"{params['GoogLeNet'] / 1e6:.1f} million against {params['AlexNet'] / 1e6:.1f} million.",
)

# %% [markdown]
# And what was measured.

# %% trained
findings_table()

# %% [markdown]
# **References.** Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: *Gradient-based learning applied to document
# recognition*, Proceedings of the IEEE 86(11), 1998. The papers of the other networks stand in their lessons
# and in `published.csv` (`claims.published()` shows it). The digits: E. Alpaydin, C. Kaynak, *Optical Recognition of Handwritten Digits*,
# UCI Machine Learning Repository, 1998 (the test part, as scikit-learn ships it).
#
# **Next**: [lesson 1](01_convolution.ipynb) takes the main part of all of these networks to pieces: the
# convolution.
