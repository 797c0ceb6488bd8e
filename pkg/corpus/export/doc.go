// Package export writes sets of items: JSON lines or parquet, a card of what is in them, and the folder that the hub has a data set as.
package export
