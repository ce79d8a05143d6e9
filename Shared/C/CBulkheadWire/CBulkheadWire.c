#include "CBulkheadWire.h"
