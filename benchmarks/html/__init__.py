"""How fast attention is shown: the page in a browser, and the drawing of a heatmap."""
