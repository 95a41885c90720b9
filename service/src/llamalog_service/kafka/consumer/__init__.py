"""At-least-once consumption: delivery, time alignment, step pipeline, start offsets."""
