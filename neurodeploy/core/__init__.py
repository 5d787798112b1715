"""The engine's core: neurons, synapses and spikes in C++, and how Python hands networks to it."""
