"""Pure functions of tensors; the formulas of the library."""
