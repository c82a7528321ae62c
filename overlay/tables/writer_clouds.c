#include <errno.h>

#include "overlay/tables/writer_state.h"

static struct bypeer_destination cloud_endpoint(const struct bypeer_writer *writer,
                                                const struct bypeer_cloud_record *cloud, unsigned address)
{
    struct bypeer_destination endpoint = {.link = cloud->number, .flags = BYPEER_DESTINATION_CLOUD, .prefix_bits = 128};
    bypeer_ingress_key(writer->header->hash_seed, cloud->addresses[address], BYPEER_INGRESS_ENDPOINT | cloud->port,
                       endpoint.key);
    return endpoint;
}

static bool cloud_has(const struct bypeer_cloud_record *cloud, const struct bypeer_cloud_record *other,
                      unsigned address)
{
    for (unsigned i = 0; i < cloud->address_count; i++)
        if (cloud->port == other->port && memcmp(cloud->addresses[i], other->addresses[address], 16) == 0)
            return true;
    return false;
}

/* Takes the first count endpoints of a cloud out, but for those that another state of it has. */
static void cloud_endpoints_remove(struct bypeer_writer *writer, const struct bypeer_cloud_record *cloud,
                                   unsigned count, const struct bypeer_cloud_record *but)
{
    for (unsigned i = 0; i < count; i++) {
        struct bypeer_destination endpoint = cloud_endpoint(writer, cloud, i);
        if (!cloud_has(but, cloud, i))
            (void)bypeer_exact_writer_remove(&writer->ingresses, endpoint.key);
    }
}

/* Enters the endpoints that old has not. All or none. */
static int cloud_endpoints_put(struct bypeer_writer *writer, const struct bypeer_cloud_record *cloud,
                               const struct bypeer_cloud_record *old)
{
    for (unsigned i = 0; i < cloud->address_count; i++) {
        struct bypeer_destination endpoint = cloud_endpoint(writer, cloud, i);
        const struct bypeer_destination *taken = bypeer_exact_writer_find(&writer->ingresses, endpoint.key);
        int error = 0;
        if (taken && (!(taken->flags & BYPEER_DESTINATION_CLOUD) || taken->link != cloud->number))
            error = -EEXIST;
        else if (!taken)
            error = bypeer_exact_writer_put(&writer->ingresses, &endpoint);
        if (error < 0) {
            cloud_endpoints_remove(writer, cloud, i, old);
            return error;
        }
    }
    return 0;
}

int bypeer_writer_put_cloud(struct bypeer_writer *writer, const struct bypeer_cloud_record *cloud)
{
    if (cloud->number < 1 || cloud->number > BYPEER_CLOUDS_MAX || cloud->port == 0 || cloud->address_count < 1 ||
        cloud->address_count > BYPEER_CLOUD_ADDRESSES)
        return -EINVAL;
    if (bypeer_pool_available(&writer->clouds.pool) == 0)
        return -EAGAIN;
    const struct bypeer_cloud_record *present = bypeer_slots_writer_find(&writer->clouds, cloud->number);
    const struct bypeer_cloud_record old = present ? *present : (struct bypeer_cloud_record){.number = 0};
    int error = cloud_endpoints_put(writer, cloud, &old);
    if (error)
        return error;
    int result = bypeer_slots_writer_put(&writer->clouds, cloud->number, cloud);
    cloud_endpoints_remove(writer, &old, old.address_count, cloud);
    return result;
}

int bypeer_writer_remove_cloud(struct bypeer_writer *writer, uint32_t number)
{
    const struct bypeer_cloud_record *present = bypeer_slots_writer_find(&writer->clouds, number);
    if (!present)
        return -ENOENT;
    cloud_endpoints_remove(writer, present, present->address_count, &(struct bypeer_cloud_record){.number = 0});
    bypeer_names_writer_forget(&writer->names, number);
    return bypeer_slots_writer_remove(&writer->clouds, number);
}
