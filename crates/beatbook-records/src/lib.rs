//! What a PCSO writes: families, fields, vocabularies, checks and typed views.
