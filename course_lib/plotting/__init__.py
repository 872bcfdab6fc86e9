"""Pictures of the course: `plot_*` draws on one Axes and returns it, `*_grid` makes a figure.

Nothing here computes with a model or changes matplotlib's settings, and nothing calls `plt.show()`: a
lesson does. A `plot_*` function that receives no Axes makes a figure of a fitting size for it.
"""

from .architecture import model_volumes, plot_architecture
from .atlas import plot_atlas
from .cells import plot_convolution, plot_pooling
from .charts import plot_confusion, plot_finding, plot_history
from .images import confused_grid, feature_map_grid, filter_grid, image_grid
from .silhouettes import plot_silhouette, silhouette_grid
from .solids import Volume, draw_volumes
from .style import COLORS

__all__ = [
    "COLORS",
    "Volume",
    "confused_grid",
    "draw_volumes",
    "feature_map_grid",
    "filter_grid",
    "image_grid",
    "model_volumes",
    "plot_architecture",
    "plot_atlas",
    "plot_confusion",
    "plot_convolution",
    "plot_finding",
    "plot_history",
    "plot_pooling",
    "plot_silhouette",
    "silhouette_grid",
]
