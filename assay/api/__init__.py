"""The gated generation API over HTTP. The only asynchronous part of Assay; everything below it is called in threads."""
