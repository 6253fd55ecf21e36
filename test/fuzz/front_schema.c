// Any JSON against each of the front's schemas: it fits, or a field and a sentence say why not, in proper text.
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#include "schema.h"
#include "target.h"

static void check_proper(const struct str *s) {
  if (text_utf8_prefix(str_text(s), s->length) != s->length) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct schemas *schemas;
  if (!schemas) schemas = schemas_new(component_schemas, component_schema_count);
  cleanup_json json *value = json_parse((const char *)data, size, NULL);
  cleanup_free char *text = mem_strndup((const char *)data, size);
  for (size_t i = 0; i < component_schema_count; i++) {
    struct str field = STR_INIT(128), why = STR_INIT(SCHEMA_WHY_MAX);
    const struct schema *schema = schemas_find(schemas, component_schemas[i].name);
    if (value) {
      bool good = schema_check(schema, value, &field, &why);
      if (!good && why.length == 0) abort();
      if (good && field.length != 0) abort();
      check_proper(&field);
      check_proper(&why);
    }
    str_clear(&why);
    if (!schema_check_text(schema, text, &why) && why.length == 0) abort();
    str_done(&field);
    str_done(&why);
  }
  return 0;
}
