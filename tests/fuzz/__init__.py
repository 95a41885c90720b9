"""The fuzzer of the decode step: `make fuzz INPUTS=100000`.

inputs      input number n of a seed: golden payloads mutated, or drawn by hypothesis
judging     what must hold of the decode step for any input
watching    worker processes, and a watchdog for those that crash or stall
"""
