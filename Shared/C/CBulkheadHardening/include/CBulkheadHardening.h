#ifndef BULKHEAD_HARDENING_H
#define BULKHEAD_HARDENING_H
// Linking this is all: see ZeroOnFree.c and Start.c. It belongs into bulkhead-credentials and nowhere else.
#endif
