"""The pages that store managers read: figures of days and weeks, from the database alone.

A page is data first (`model.Page`), built by one module each (`today`, `shelf`, ...), and then
drawn as HTML, CSV or PDF: the same numbers whichever way it is read.
"""
