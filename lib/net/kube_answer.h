/* From an HTTP answer to a kube_answer. Pure. Private to lib/net. */
#ifndef NET_KUBE_ANSWER_H
#define NET_KUBE_ANSWER_H

#include "net/http.h"
#include "net/kube.h"

/* subject ("PUT /api/...") begins the error; is_read tells a GET. The caller puts
 * ret_answer->body. */
void kube_answer_decode(const struct http_answer *http, const char *subject, bool is_read,
    struct kube_answer *ret_answer);

#endif
