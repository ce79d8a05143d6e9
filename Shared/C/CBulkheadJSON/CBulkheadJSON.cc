extern "C" {
#include "CBulkheadJSON.h"
}
