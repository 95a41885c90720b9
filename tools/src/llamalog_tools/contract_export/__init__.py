"""The published contract, made from the models: JSON Schemas and an AsyncAPI document."""
