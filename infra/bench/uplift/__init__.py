"""`smartstore bench uplift`: does the analysis say the truth, where the truth is known?"""
