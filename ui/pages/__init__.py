"""The app's pages, one a module: each has `draw(desk, here, chosen)`."""
