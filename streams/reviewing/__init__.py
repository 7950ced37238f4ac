"""Where people look at what the model would not decide: cases, their store, their queue, and what comes of them."""
