"""The objective in torch: one function per equation, tensors in, tensors out."""
