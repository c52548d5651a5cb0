"""The parts of the drawing: one file for each thing that a chibi character or its world has."""
