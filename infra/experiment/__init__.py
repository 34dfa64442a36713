"""Experiments in the store: planned, approved by a named person, told on Kafka, and answered from
the database. The estimates themselves are in `streams/uplift`.
"""
