"""The table `llama_logs`: writes, positions, outbox, root rule, recompute."""
