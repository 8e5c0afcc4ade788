/**
 * Payloads of machines. Towards Temporal they are encrypted with the keys of the fleet, which no machine gets: the gateway decrypts what it
 * hands to a machine, and encrypts all that comes from one, whatever the machine says that it is.
 */
import type { PayloadCodec } from '@temporalio/common';
import { visit } from '@temporalio/common/lib/internal-non-workflow/index.js';

/** One of the SDK's walks through all payloads of a message. */
type Walk<Message> = Parameters<typeof visit<Message>>[1];

/** Converts between what a machine sees and what Temporal keeps. */
export class MachinePayloads {
  readonly #codec: PayloadCodec;

  constructor(codec: PayloadCodec) {
    this.#codec = codec;
  }

  /**
   * Decrypts all payloads of a message, in place.
   * @throws PayloadRefused
   */
  async decrypt<Message>(message: Message, walk: Walk<Message>): Promise<void> {
    await this.#convert(message, walk, (payloads) => this.#codec.decode(payloads));
  }

  /** Encrypts all payloads of a message, in place. */
  async encrypt<Message>(message: Message, walk: Walk<Message>): Promise<void> {
    await this.#convert(message, walk, (payloads) => this.#codec.encode(payloads));
  }

  async #convert<Message>(
    message: Message,
    walk: Walk<Message>,
    convert: PayloadCodec['encode'],
  ): Promise<void> {
    await visit(message, walk, {
      transformPayloads: (payloads) => convert(payloads),
      transformPayload: async (payload) => (await convert([payload]))[0] ?? payload,
      // As the SDK does it: headers are outside of every codec.
      skipHeaders: true,
    });
  }
}
