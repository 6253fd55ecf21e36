// What is published of the route table: the OpenAPI 3.1 document, and a page to read it.
#pragma once

#include "base/str.h"

struct schemas;

void openapi_print(struct schemas *s, const char *public_url /* may be NULL */, struct str *ret);
void docs_print(struct schemas *s, struct str *ret);  // HTML without scripts
