"""What leaves the store for others: impression multipliers, campaign reports, the demand signal."""
