"""Pages of HTML, of one file each: their frame, charts and pictures, for reports and diagnoses."""
