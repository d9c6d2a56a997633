"""How well `assay detect` tells generated video from footage, and what it costs."""
