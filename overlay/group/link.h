/* A link on its way to being authenticated; for connect.c and connect_password.c only. */
#pragma once

#include "overlay/certificate/certificate.h"
#include "overlay/group/state.h"

enum group_link_state {
    LINK_TLS,
    LINK_HELLO_SENT, /* initiator: for Hello of the responder */
    LINK_HELLO,      /* responder: for Hello of the initiator */
    LINK_SHARE,      /* for the peer's part of CPace; the responder of windows: for the proof */
    LINK_CONFIRM,    /* for the peer's proof of CPace; the initiator then for YourGMC */
    LINK_YOURS,      /* initiator: for YourGMC */
    LINK_DONE,
    LINK_FAILED,
};

enum group_message {
    MESSAGE_HELLO = 0x0000,
    MESSAGE_MINE = 0x0001,
    MESSAGE_YOURS = 0x0002,
    MESSAGE_PASSWORD = 0x0005,
    MESSAGE_SHARE = 0x0006,
    MESSAGE_CONFIRM = 0x0007,
};

struct group_link {
    struct bypeer_group_node *node;
    void *session; /* TLS */
    bool is_initiator, by_password, said_hello;
    enum group_link_state state;
    struct bypeer_graph_address address;
    struct bypeer_certificate *peer;    /* its identity's */
    struct bypeer_peer_name shown;      /* whose membership it has shown */
    struct bypeer_buffer in;            /* of the TLS session, messages that are not whole yet */
    struct bypeer_cpace cpace;          /* of a join by password */
    char wanted[BYPEER_NAME_TEXT_MAX];  /* whom the initiator wants; "": anybody */
    char peer_id[BYPEER_NAME_TEXT_MAX]; /* once authenticated */
    char why[GROUP_WHY];
};

struct group_message_view {
    enum group_message type;
    const uint8_t *bytes;
    size_t length;
};

/* Refuses the link: returns -EACCES, and ret_why is the text's copy. */
int link_refuse(struct group_link *link, const char *why);
/* The key of the peer's identity. */
const uint8_t *link_peer_key(const struct group_link *link);
/* Appends a message; Hello has no bytes. 0 or -ENOMEM. */
int link_put(struct bypeer_buffer *plain, enum group_message type, const void *bytes, size_t length);
/* The peer is who shows this chain, which it proves. 0 or what link_refuse() returns. */
int link_take_chain(struct group_link *link, uint64_t now, const uint8_t *bytes, size_t length);
/* The peer is authenticated as name. */
int link_authenticate(struct group_link *link, const struct bypeer_peer_name *name);

/* connect_password.c: messages of a join by password. 1, 0 or negative, as of link_token(). */
int link_offer_password(struct bypeer_buffer *plain);
int link_take_password(struct group_link *link, struct bypeer_graph_time now, const struct group_message_view *message,
                       struct bypeer_buffer *plain);
/* The initiator was told of the group by the responder, and goes on with its proof. */
int link_prove_password(struct group_link *link, struct bypeer_buffer *plain);
