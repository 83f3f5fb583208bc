// libcurl (libcurl4-openssl-dev). curl_easy_setopt and curl_easy_getinfo are variadic, which Swift does not import.
#pragma once
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

typedef size_t (*backupfs_curl_data_function)(char *, size_t, size_t, void *);

typedef int (*backupfs_curl_seek_function)(void *, curl_off_t, int);

static inline CURLcode backupfs_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode backupfs_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode backupfs_curl_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode backupfs_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode backupfs_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode backupfs_curl_set_data_function(CURL *easy, CURLoption option, backupfs_curl_data_function value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode backupfs_curl_set_seek_function(CURL *easy, backupfs_curl_seek_function value) {
    return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, value);
}
static inline CURLcode backupfs_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode backupfs_curl_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode backupfs_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
static inline CURL *backupfs_curl_message_easy(const CURLMsg *message) { return message->easy_handle; }
static inline CURLcode backupfs_curl_message_result(const CURLMsg *message) { return message->data.result; }

static inline CURLcode backupfs_curl_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

// The kernel takes no more than this many bytes ahead of what it sends (tcp(7), TCP_NOTSENT_LOWAT).
static int backupfs_curl_bound_unsent(void *unused, curl_socket_t socket, curlsocktype purpose) {
    int bytes = 256 * 1024;
    (void)unused;
    (void)purpose;
    setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
    // In milliseconds: a peer whose kernel acknowledges nothing for so long is gone, however slow the server may be.
    unsigned silence = 15000;
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof(silence));
    return CURL_SOCKOPT_OK;
}
static inline CURLcode backupfs_curl_set_bound_unsent(CURL *easy) {
    return curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, backupfs_curl_bound_unsent);
}
